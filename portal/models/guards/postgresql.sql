-- columns of accounts
bio character varying(2000) NOT NULL
consent smallint NOT NULL
consent_at bigint
consent_version character varying(20)
created_at bigint NOT NULL
email character varying(254)
id bigint NOT NULL
language character varying(5) NOT NULL
last_seen_at bigint
lemail character varying(254)
lusername character varying(60) NOT NULL
mfa_enabled boolean NOT NULL
password_hash character varying(200)
removed_at bigint
role character varying(40) NOT NULL
status smallint NOT NULL
status_before_block smallint
updated_at bigint NOT NULL
username character varying(60) NOT NULL

-- columns of alembic_version
version_num character varying(32) NOT NULL

-- columns of api_keys
account_id bigint NOT NULL
audiences character varying(500) NOT NULL
calls_per_day integer
calls_per_minute integer
counted_with_id uuid
created_at bigint NOT NULL
digest bytea NOT NULL
environment character varying(40)
expires_at bigint NOT NULL
id uuid NOT NULL
kind character varying(40) NOT NULL
level smallint NOT NULL
made_by_key_id uuid
max_idle integer
name character varying(100) NOT NULL
networks character varying(2000) NOT NULL
nonce uuid
not_before bigint
note character varying(500) NOT NULL
pepper_id character varying(16) NOT NULL
replaces_id uuid
retires_at bigint
revoked_at bigint
revoked_reason character varying(40)

-- columns of audit_events
account_id bigint
action character varying(40) NOT NULL
actor_account_id bigint
actor_key_id uuid
actor_kind character varying(40) NOT NULL
address character varying(45)
at bigint NOT NULL
details json NOT NULL
id bigint NOT NULL
key_id uuid
reason character varying(500)
request_id character varying(36)

-- columns of call_windows
key_id uuid NOT NULL
span integer NOT NULL
starts_at bigint NOT NULL
taken bigint NOT NULL

-- columns of excess_steps
account_id bigint NOT NULL
at bigint NOT NULL
day bigint NOT NULL
figures json NOT NULL
step character varying(40) NOT NULL

-- columns of github_keys
identifier character varying(200) NOT NULL
pem text NOT NULL
read_at bigint NOT NULL
source text NOT NULL

-- columns of job_leases
leased_until bigint NOT NULL
name character varying(40) NOT NULL

-- columns of key_addresses
address character varying(45) NOT NULL
calls bigint NOT NULL
key_id uuid NOT NULL
last_used_at bigint NOT NULL

-- columns of key_recent_refusals
address character varying(45) NOT NULL
asked character varying(40) NOT NULL
day bigint NOT NULL
door character varying(20) NOT NULL
first_at bigint NOT NULL
key_id uuid NOT NULL
last_at bigint NOT NULL
reason character varying(40) NOT NULL
times bigint NOT NULL

-- columns of key_refusals
hour bigint NOT NULL
key_id uuid NOT NULL
reason character varying(40) NOT NULL
refused bigint NOT NULL

-- columns of key_usage
calls bigint NOT NULL
key_id uuid NOT NULL
last_used_address character varying(45)
last_used_at bigint
minute_calls bigint NOT NULL
refused bigint NOT NULL
reused_at bigint

-- columns of key_usage_hours
calls bigint NOT NULL
hour bigint NOT NULL
key_id uuid NOT NULL
refused bigint NOT NULL

-- columns of last_moments
name character varying(40) NOT NULL
seen_at bigint NOT NULL

-- columns of limit_counters
expires_at bigint NOT NULL
hits integer NOT NULL
name character varying(200) NOT NULL

-- columns of mail_tokens
account_id bigint
address character varying(254)
created_at bigint NOT NULL
expires_at bigint NOT NULL
purpose character varying(40) NOT NULL
token_hash bytea NOT NULL
used_at bigint

-- columns of outbox
account_id bigint
address character varying(254) NOT NULL
attempts integer NOT NULL
created_at bigint NOT NULL
id bigint NOT NULL
kind character varying(40) NOT NULL
language character varying(5) NOT NULL
last_error character varying(200)
leased_until bigint
next_attempt_at bigint NOT NULL
params json NOT NULL
refused_at bigint
sent_at bigint

-- columns of pepper_checks
check_value bytea NOT NULL
created_at bigint NOT NULL
pepper_id character varying(16) NOT NULL

-- columns of promise_proofs
held boolean NOT NULL
promise character varying(40) NOT NULL
proved_at bigint
ran_at bigint NOT NULL
revision character varying(40)
version character varying(40)

-- columns of sent_forms
answer json
at bigint NOT NULL
id bytea NOT NULL
request_id character varying(36) NOT NULL
salt bytea NOT NULL

-- columns of sessions
account_id bigint NOT NULL
address character varying(45)
created_at bigint NOT NULL
ended_at bigint
expires_at bigint NOT NULL
id uuid NOT NULL
kind character varying(40) NOT NULL
last_seen_at bigint NOT NULL
token_hash bytea
user_agent character varying(200) NOT NULL

-- constraint alembic_version_pkc
PRIMARY KEY (version_num)

-- constraint ck_accounts_consent
CHECK ((consent = ANY (ARRAY[0, 1, 2])))

-- constraint ck_accounts_email_until_removed
CHECK (((email IS NULL) = (removed_at IS NOT NULL)))

-- constraint ck_accounts_removed_is_not_active
CHECK (((status <> 1) OR (removed_at IS NULL)))

-- constraint ck_accounts_role
CHECK (((role)::text = ANY ((ARRAY['user'::character varying, 'tester'::character varying, 'curator'::character varying, 'bughunter'::character varying, 'support'::character varying, 'admin'::character varying])::text[])))

-- constraint ck_accounts_status
CHECK ((status = ANY (ARRAY[1, 0, '-1'::integer, '-2'::integer])))

-- constraint ck_accounts_status_before_block
CHECK (((status_before_block IS NULL) OR ((status = '-2'::integer) AND (status_before_block = ANY (ARRAY[1, 0, '-1'::integer])))))

-- constraint ck_api_keys_audiences
CHECK ((((kind)::text <> 'service'::text) OR (replace((audiences)::text, ' '::text, ''::text) = (audiences)::text)))

-- constraint ck_api_keys_calls_per_day
CHECK ((calls_per_day > 0))

-- constraint ck_api_keys_calls_per_minute
CHECK ((calls_per_minute > 0))

-- constraint ck_api_keys_digest
CHECK ((length(digest) = 32))

-- constraint ck_api_keys_environment
CHECK (((environment)::text = ANY ((ARRAY['live'::character varying, 'test'::character varying])::text[])))

-- constraint ck_api_keys_kind
CHECK (((kind)::text = ANY ((ARRAY['account'::character varying, 'service'::character varying])::text[])))

-- constraint ck_api_keys_level
CHECK (((level >= 0) AND (level <= 9)))

-- constraint ck_api_keys_lives
CHECK ((expires_at > created_at))

-- constraint ck_api_keys_longest_life
CHECK ((expires_at <= (created_at + '31536000000'::bigint)))

-- constraint ck_api_keys_max_idle
CHECK ((max_idle >= 3600))

-- constraint ck_api_keys_name
CHECK (((length((name)::text) >= 1) AND (length((name)::text) <= 100)))

-- constraint ck_api_keys_not_before
CHECK ((not_before < expires_at))

-- constraint ck_api_keys_retires_at
CHECK ((retires_at <= expires_at))

-- constraint ck_api_keys_revoked_with_reason
CHECK (((revoked_at IS NULL) = (revoked_reason IS NULL)))

-- constraint ck_mail_tokens_token_hash
CHECK ((length(token_hash) = 32))

-- constraint ck_pepper_checks_check_value
CHECK ((length(check_value) = 32))

-- constraint ck_sent_forms_id
CHECK ((length(id) = 32))

-- constraint ck_sent_forms_salt
CHECK ((length(salt) = 32))

-- constraint ck_sessions_browser_has_token
CHECK ((((kind)::text = 'jwt'::text) OR (length(token_hash) = 32)))

-- constraint fk_api_keys_account_id
FOREIGN KEY (account_id) REFERENCES accounts(id)

-- constraint fk_api_keys_made_by_key_id
FOREIGN KEY (made_by_key_id) REFERENCES api_keys(id)

-- constraint fk_api_keys_replaces_id
FOREIGN KEY (replaces_id) REFERENCES api_keys(id)

-- constraint fk_call_windows_key_id
FOREIGN KEY (key_id) REFERENCES api_keys(id)

-- constraint fk_excess_steps_account_id
FOREIGN KEY (account_id) REFERENCES accounts(id)

-- constraint fk_key_addresses_key_id
FOREIGN KEY (key_id) REFERENCES api_keys(id)

-- constraint fk_key_recent_refusals_key_id
FOREIGN KEY (key_id) REFERENCES api_keys(id)

-- constraint fk_key_refusals_key_id
FOREIGN KEY (key_id) REFERENCES api_keys(id)

-- constraint fk_key_usage_hours_key_id
FOREIGN KEY (key_id) REFERENCES api_keys(id)

-- constraint fk_key_usage_key_id
FOREIGN KEY (key_id) REFERENCES api_keys(id)

-- constraint fk_mail_tokens_account_id
FOREIGN KEY (account_id) REFERENCES accounts(id)

-- constraint fk_outbox_account_id
FOREIGN KEY (account_id) REFERENCES accounts(id)

-- constraint fk_sessions_account_id
FOREIGN KEY (account_id) REFERENCES accounts(id)

-- constraint pk_accounts
PRIMARY KEY (id)

-- constraint pk_api_keys
PRIMARY KEY (id)

-- constraint pk_audit_events
PRIMARY KEY (id)

-- constraint pk_call_windows
PRIMARY KEY (key_id, span)

-- constraint pk_excess_steps
PRIMARY KEY (account_id, day, step)

-- constraint pk_github_keys
PRIMARY KEY (identifier)

-- constraint pk_job_leases
PRIMARY KEY (name)

-- constraint pk_key_addresses
PRIMARY KEY (key_id, address)

-- constraint pk_key_recent_refusals
PRIMARY KEY (key_id, day, reason, address, door, asked)

-- constraint pk_key_refusals
PRIMARY KEY (key_id, hour, reason)

-- constraint pk_key_usage
PRIMARY KEY (key_id)

-- constraint pk_key_usage_hours
PRIMARY KEY (key_id, hour)

-- constraint pk_last_moments
PRIMARY KEY (name)

-- constraint pk_limit_counters
PRIMARY KEY (name)

-- constraint pk_mail_tokens
PRIMARY KEY (token_hash)

-- constraint pk_outbox
PRIMARY KEY (id)

-- constraint pk_pepper_checks
PRIMARY KEY (pepper_id)

-- constraint pk_promise_proofs
PRIMARY KEY (promise)

-- constraint pk_sent_forms
PRIMARY KEY (id)

-- constraint pk_sessions
PRIMARY KEY (id)

-- constraint uq_accounts_lemail
UNIQUE (lemail)

-- constraint uq_accounts_lusername
UNIQUE (lusername)

-- constraint uq_api_keys_nonce
UNIQUE (nonce)

-- constraint uq_api_keys_replaces_id
UNIQUE (replaces_id)

-- constraint uq_sessions_token_hash
UNIQUE (token_hash)

-- trigger accounts_kept
CREATE TRIGGER accounts_kept BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_kept();
CREATE OR REPLACE FUNCTION accounts_kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF 1 = 1 THEN RAISE EXCEPTION 'an account is emptied, not deleted' USING ERRCODE = 'check_violation'; END IF; RETURN OLD; END $function$

-- trigger accounts_keys
CREATE TRIGGER accounts_keys BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_keys();
CREATE OR REPLACE FUNCTION accounts_keys()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF (NEW.status <> 1 OR NEW.consent = 0 OR CASE NEW.role WHEN 'user' THEN 4 WHEN 'tester' THEN 4 WHEN 'curator' THEN 5 WHEN 'bughunter' THEN 6 WHEN 'support' THEN 8 WHEN 'admin' THEN 9 END < CASE OLD.role WHEN 'user' THEN 4 WHEN 'tester' THEN 4 WHEN 'curator' THEN 5 WHEN 'bughunter' THEN 6 WHEN 'support' THEN 8 WHEN 'admin' THEN 9 END) AND EXISTS (SELECT 1 FROM api_keys k WHERE k.account_id = NEW.id AND k.revoked_at IS NULL) THEN RAISE EXCEPTION 'its keys must be revoked first' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger accounts_number
CREATE TRIGGER accounts_number BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION accounts_number();
CREATE OR REPLACE FUNCTION accounts_number()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN IF NEW.id <> OLD.id THEN RAISE EXCEPTION 'an account keeps its number' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger accounts_whole
CREATE TRIGGER accounts_whole BEFORE TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION accounts_kept();
CREATE OR REPLACE FUNCTION accounts_kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF 1 = 1 THEN RAISE EXCEPTION 'an account is emptied, not deleted' USING ERRCODE = 'check_violation'; END IF; RETURN OLD; END $function$

-- trigger api_keys_immutable
CREATE TRIGGER api_keys_immutable BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_immutable();
CREATE OR REPLACE FUNCTION api_keys_immutable()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF (NEW.id IS DISTINCT FROM OLD.id OR NEW.account_id IS DISTINCT FROM OLD.account_id OR NEW.name IS DISTINCT FROM OLD.name OR NEW.level IS DISTINCT FROM OLD.level OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.pepper_id IS DISTINCT FROM OLD.pepper_id OR NEW.nonce IS DISTINCT FROM OLD.nonce OR NEW.made_by_key_id IS DISTINCT FROM OLD.made_by_key_id OR NEW.replaces_id IS DISTINCT FROM OLD.replaces_id OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.expires_at IS DISTINCT FROM OLD.expires_at OR NEW.kind IS DISTINCT FROM OLD.kind OR NEW.environment IS DISTINCT FROM OLD.environment OR NEW.networks IS DISTINCT FROM OLD.networks OR NEW.not_before IS DISTINCT FROM OLD.not_before OR NEW.max_idle IS DISTINCT FROM OLD.max_idle OR NEW.calls_per_minute IS DISTINCT FROM OLD.calls_per_minute OR NEW.calls_per_day IS DISTINCT FROM OLD.calls_per_day OR NEW.note IS DISTINCT FROM OLD.note) OR NEW.counted_with_id IS DISTINCT FROM OLD.counted_with_id OR NEW.audiences IS DISTINCT FROM OLD.audiences THEN RAISE EXCEPTION 'a key is immutable' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger api_keys_kept
CREATE TRIGGER api_keys_kept BEFORE DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_kept();
CREATE OR REPLACE FUNCTION api_keys_kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF 1 = 1 THEN RAISE EXCEPTION 'a key is revoked, not deleted' USING ERRCODE = 'check_violation'; END IF; RETURN OLD; END $function$

-- trigger api_keys_maker
CREATE TRIGGER api_keys_maker BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_maker();
CREATE OR REPLACE FUNCTION api_keys_maker()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF (NEW.made_by_key_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.made_by_key_id AND k.account_id = NEW.account_id AND k.kind = 'account' AND k.revoked_at IS NULL AND NEW.level <= k.level AND NEW.expires_at <= k.expires_at AND (k.retires_at IS NULL OR NEW.expires_at <= k.retires_at) AND (k.networks = '' OR NEW.networks <> '') AND (k.max_idle IS NULL OR NEW.max_idle <= k.max_idle) AND (k.calls_per_minute IS NULL OR NEW.calls_per_minute <= k.calls_per_minute) AND (k.calls_per_day IS NULL OR NEW.calls_per_day <= k.calls_per_day))) OR NEW.made_by_key_id IS NOT NULL AND EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.made_by_key_id AND k.audiences <> '' AND (NEW.audiences = '' OR NOT string_to_array(NEW.audiences, ' ') <@ string_to_array(k.audiences, ' '))) THEN RAISE EXCEPTION 'a key stays within its maker''s rights' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger api_keys_owner
CREATE TRIGGER api_keys_owner BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_owner();
CREATE OR REPLACE FUNCTION api_keys_owner()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN PERFORM 1 FROM accounts WHERE id = NEW.account_id FOR SHARE; IF NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = NEW.account_id AND a.status = 1 AND a.consent <> 0 AND NEW.level <= CASE a.role WHEN 'user' THEN 4 WHEN 'tester' THEN 4 WHEN 'curator' THEN 5 WHEN 'bughunter' THEN 6 WHEN 'support' THEN 8 WHEN 'admin' THEN 9 END AND (NEW.kind = 'account' OR a.role = 'admin')) THEN RAISE EXCEPTION 'a key stays within its owner''s rights' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger api_keys_retired
CREATE TRIGGER api_keys_retired BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_retired();
CREATE OR REPLACE FUNCTION api_keys_retired()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF NEW.retires_at IS DISTINCT FROM OLD.retires_at AND (OLD.retires_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM api_keys s WHERE s.replaces_id = NEW.id)) THEN RAISE EXCEPTION 'a key retires once, for its successor' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger api_keys_revoked
CREATE TRIGGER api_keys_revoked BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_revoked();
CREATE OR REPLACE FUNCTION api_keys_revoked()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at OR NEW.revoked_reason IS DISTINCT FROM OLD.revoked_reason) THEN RAISE EXCEPTION 'a key is revoked for good' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger api_keys_successor
CREATE TRIGGER api_keys_successor BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION api_keys_successor();
CREATE OR REPLACE FUNCTION api_keys_successor()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF (NEW.replaces_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.replaces_id AND k.account_id = NEW.account_id AND k.name = NEW.name AND k.level = NEW.level AND k.kind = NEW.kind AND k.networks = NEW.networks AND k.max_idle IS NOT DISTINCT FROM NEW.max_idle AND k.calls_per_minute IS NOT DISTINCT FROM NEW.calls_per_minute AND k.calls_per_day IS NOT DISTINCT FROM NEW.calls_per_day)) OR (NEW.counted_with_id IS NOT NULL AND NEW.counted_with_id IS DISTINCT FROM (SELECT COALESCE(c.counted_with_id, c.id) FROM api_keys c WHERE c.id = NEW.replaces_id)) OR (NEW.replaces_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.replaces_id AND k.audiences = NEW.audiences)) THEN RAISE EXCEPTION 'a successor is as the key that it replaces' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger api_keys_whole
CREATE TRIGGER api_keys_whole BEFORE TRUNCATE ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION api_keys_kept();
CREATE OR REPLACE FUNCTION api_keys_kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF 1 = 1 THEN RAISE EXCEPTION 'a key is revoked, not deleted' USING ERRCODE = 'check_violation'; END IF; RETURN OLD; END $function$

-- trigger audit_events_final
CREATE TRIGGER audit_events_final BEFORE UPDATE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_final();
CREATE OR REPLACE FUNCTION audit_events_final()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF 1 = 1 THEN RAISE EXCEPTION 'the record is append-only' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $function$

-- trigger audit_events_kept
CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_kept();
CREATE OR REPLACE FUNCTION audit_events_kept()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.action = 'record:ended-by-retention' AND OLD.id < CAST(e.details ->> 'before' AS BIGINT) AND OLD.at <= e.at - 34560000000 AND e.at <= CAST(extract(epoch FROM now()) AS BIGINT) * 1000 + 86400000) THEN RAISE EXCEPTION 'the record is append-only' USING ERRCODE = 'check_violation'; END IF; RETURN OLD; END $function$

-- trigger audit_events_whole
CREATE TRIGGER audit_events_whole BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION audit_events_whole();
CREATE OR REPLACE FUNCTION audit_events_whole()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$ BEGIN  IF TRUE THEN RAISE EXCEPTION 'the record is append-only' USING ERRCODE = 'check_violation'; END IF; RETURN NULL; END $function$

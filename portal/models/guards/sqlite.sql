-- columns of accounts
bio VARCHAR(2000) NOT NULL
consent SMALLINT NOT NULL
consent_at BIGINT
consent_version VARCHAR(20)
created_at BIGINT NOT NULL
email VARCHAR(254)
id INTEGER NOT NULL
language VARCHAR(5) NOT NULL
last_seen_at BIGINT
lemail VARCHAR(254)
lusername VARCHAR(60) NOT NULL
mfa_enabled BOOLEAN NOT NULL
password_hash VARCHAR(200)
removed_at BIGINT
role VARCHAR(40) NOT NULL
status SMALLINT NOT NULL
status_before_block SMALLINT
updated_at BIGINT NOT NULL
username VARCHAR(60) NOT NULL

-- columns of alembic_version
version_num VARCHAR(32) NOT NULL

-- columns of api_keys
account_id INTEGER NOT NULL
audiences VARCHAR(500) NOT NULL
calls_per_day INTEGER
calls_per_minute INTEGER
counted_with_id CHAR(32)
created_at BIGINT NOT NULL
digest BLOB NOT NULL
environment VARCHAR(40)
expires_at BIGINT NOT NULL
id CHAR(32) NOT NULL
kind VARCHAR(40) NOT NULL
level SMALLINT NOT NULL
made_by_key_id CHAR(32)
max_idle INTEGER
name VARCHAR(100) NOT NULL
networks VARCHAR(2000) NOT NULL
nonce CHAR(32)
not_before BIGINT
note VARCHAR(500) NOT NULL
pepper_id VARCHAR(16) NOT NULL
replaces_id CHAR(32)
retires_at BIGINT
revoked_at BIGINT
revoked_reason VARCHAR(40)

-- columns of audit_events
account_id BIGINT
action VARCHAR(40) NOT NULL
actor_account_id BIGINT
actor_key_id CHAR(32)
actor_kind VARCHAR(40) NOT NULL
address VARCHAR(45)
at BIGINT NOT NULL
details JSON NOT NULL
id INTEGER NOT NULL
key_id CHAR(32)
reason VARCHAR(500)
request_id VARCHAR(36)

-- columns of call_windows
key_id CHAR(32) NOT NULL
span INTEGER NOT NULL
starts_at BIGINT NOT NULL
taken BIGINT NOT NULL

-- columns of excess_steps
account_id INTEGER NOT NULL
at BIGINT NOT NULL
day BIGINT NOT NULL
figures JSON NOT NULL
step VARCHAR(40) NOT NULL

-- columns of github_keys
identifier VARCHAR(200) NOT NULL
pem TEXT NOT NULL
read_at BIGINT NOT NULL
source TEXT NOT NULL

-- columns of job_leases
leased_until BIGINT NOT NULL
name VARCHAR(40) NOT NULL

-- columns of key_addresses
address VARCHAR(45) NOT NULL
calls BIGINT NOT NULL
key_id CHAR(32) NOT NULL
last_used_at BIGINT NOT NULL

-- columns of key_recent_refusals
address VARCHAR(45) NOT NULL
asked VARCHAR(40) NOT NULL
day BIGINT NOT NULL
door VARCHAR(20) NOT NULL
first_at BIGINT NOT NULL
key_id CHAR(32) NOT NULL
last_at BIGINT NOT NULL
reason VARCHAR(40) NOT NULL
times BIGINT NOT NULL

-- columns of key_refusals
hour BIGINT NOT NULL
key_id CHAR(32) NOT NULL
reason VARCHAR(40) NOT NULL
refused BIGINT NOT NULL

-- columns of key_usage
calls BIGINT NOT NULL
key_id CHAR(32) NOT NULL
last_used_address VARCHAR(45)
last_used_at BIGINT
minute_calls BIGINT NOT NULL
refused BIGINT NOT NULL
reused_at BIGINT

-- columns of key_usage_hours
calls BIGINT NOT NULL
hour BIGINT NOT NULL
key_id CHAR(32) NOT NULL
refused BIGINT NOT NULL

-- columns of last_moments
name VARCHAR(40) NOT NULL
seen_at BIGINT NOT NULL

-- columns of limit_counters
expires_at BIGINT NOT NULL
hits INTEGER NOT NULL
name VARCHAR(200) NOT NULL

-- columns of mail_tokens
account_id INTEGER
address VARCHAR(254)
created_at BIGINT NOT NULL
expires_at BIGINT NOT NULL
purpose VARCHAR(40) NOT NULL
token_hash BLOB NOT NULL
used_at BIGINT

-- columns of outbox
account_id INTEGER
address VARCHAR(254) NOT NULL
attempts INTEGER NOT NULL
created_at BIGINT NOT NULL
id INTEGER NOT NULL
kind VARCHAR(40) NOT NULL
language VARCHAR(5) NOT NULL
last_error VARCHAR(200)
leased_until BIGINT
next_attempt_at BIGINT NOT NULL
params JSON NOT NULL
refused_at BIGINT
sent_at BIGINT

-- columns of pepper_checks
check_value BLOB NOT NULL
created_at BIGINT NOT NULL
pepper_id VARCHAR(16) NOT NULL

-- columns of promise_proofs
held BOOLEAN NOT NULL
promise VARCHAR(40) NOT NULL
proved_at BIGINT
ran_at BIGINT NOT NULL
revision VARCHAR(40)
version VARCHAR(40)

-- columns of sent_forms
answer JSON
at BIGINT NOT NULL
id BLOB NOT NULL
request_id VARCHAR(36) NOT NULL
salt BLOB NOT NULL

-- columns of sessions
account_id INTEGER NOT NULL
address VARCHAR(45)
created_at BIGINT NOT NULL
ended_at BIGINT
expires_at BIGINT NOT NULL
id CHAR(32) NOT NULL
kind VARCHAR(40) NOT NULL
last_seen_at BIGINT NOT NULL
token_hash BLOB
user_agent VARCHAR(200) NOT NULL

-- constraint alembic_version_pkc
PRIMARY KEY (version_num)

-- constraint ck_accounts_consent
CHECK (consent IN (0, 1, 2))

-- constraint ck_accounts_email_until_removed
CHECK ((email IS NULL) = (removed_at IS NOT NULL))

-- constraint ck_accounts_removed_is_not_active
CHECK (status <> 1 OR removed_at IS NULL)

-- constraint ck_accounts_role
CHECK (role IN ('user', 'tester', 'curator', 'bughunter', 'support', 'admin'))

-- constraint ck_accounts_status
CHECK (status IN (1, 0, -1, -2))

-- constraint ck_accounts_status_before_block
CHECK (status_before_block IS NULL OR (status = -2 AND status_before_block IN (1, 0, -1)))

-- constraint ck_api_keys_audiences
CHECK (kind <> 'service' OR replace(audiences, ' ', '') = audiences)

-- constraint ck_api_keys_calls_per_day
CHECK (calls_per_day > 0)

-- constraint ck_api_keys_calls_per_minute
CHECK (calls_per_minute > 0)

-- constraint ck_api_keys_digest
CHECK (length(digest) = 32)

-- constraint ck_api_keys_environment
CHECK (environment IN ('live', 'test'))

-- constraint ck_api_keys_kind
CHECK (kind IN ('account', 'service'))

-- constraint ck_api_keys_level
CHECK (level BETWEEN 0 AND 9)

-- constraint ck_api_keys_lives
CHECK (expires_at > created_at)

-- constraint ck_api_keys_longest_life
CHECK (expires_at <= created_at + 31536000000)

-- constraint ck_api_keys_max_idle
CHECK (max_idle >= 3600)

-- constraint ck_api_keys_name
CHECK (length(name) BETWEEN 1 AND 100)

-- constraint ck_api_keys_not_before
CHECK (not_before < expires_at)

-- constraint ck_api_keys_retires_at
CHECK (retires_at <= expires_at)

-- constraint ck_api_keys_revoked_with_reason
CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))

-- constraint ck_mail_tokens_token_hash
CHECK (length(token_hash) = 32)

-- constraint ck_pepper_checks_check_value
CHECK (length(check_value) = 32)

-- constraint ck_sent_forms_id
CHECK (length(id) = 32)

-- constraint ck_sent_forms_salt
CHECK (length(salt) = 32)

-- constraint ck_sessions_browser_has_token
CHECK (kind = 'jwt' OR length(token_hash) = 32)

-- constraint fk_api_keys_account_id
FOREIGN KEY(account_id) REFERENCES accounts (id)

-- constraint fk_api_keys_made_by_key_id
FOREIGN KEY(made_by_key_id) REFERENCES api_keys (id)

-- constraint fk_api_keys_replaces_id
FOREIGN KEY(replaces_id) REFERENCES api_keys (id)

-- constraint fk_call_windows_key_id
FOREIGN KEY(key_id) REFERENCES api_keys (id)

-- constraint fk_excess_steps_account_id
FOREIGN KEY(account_id) REFERENCES accounts (id)

-- constraint fk_key_addresses_key_id
FOREIGN KEY(key_id) REFERENCES api_keys (id)

-- constraint fk_key_recent_refusals_key_id
FOREIGN KEY(key_id) REFERENCES api_keys (id)

-- constraint fk_key_refusals_key_id
FOREIGN KEY(key_id) REFERENCES api_keys (id)

-- constraint fk_key_usage_hours_key_id
FOREIGN KEY(key_id) REFERENCES api_keys (id)

-- constraint fk_key_usage_key_id
FOREIGN KEY(key_id) REFERENCES api_keys (id)

-- constraint fk_mail_tokens_account_id
FOREIGN KEY(account_id) REFERENCES accounts (id)

-- constraint fk_outbox_account_id
FOREIGN KEY(account_id) REFERENCES accounts (id)

-- constraint fk_sessions_account_id
FOREIGN KEY(account_id) REFERENCES accounts (id)

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

-- trigger accounts_apart
CREATE TRIGGER accounts_apart BEFORE UPDATE ON accounts WHEN EXISTS (SELECT 1 FROM accounts a WHERE a.id <> OLD.id AND (a.lemail = NEW.lemail OR a.lusername = NEW.lusername)) BEGIN SELECT RAISE(ABORT, 'an address and a name are unique'); END

-- trigger accounts_kept
CREATE TRIGGER accounts_kept BEFORE DELETE ON accounts WHEN 1 = 1 BEGIN SELECT RAISE(ABORT, 'an account is emptied, not deleted'); END

-- trigger accounts_keys
CREATE TRIGGER accounts_keys BEFORE UPDATE ON accounts WHEN (NEW.status <> 1 OR NEW.consent = 0 OR CASE NEW.role WHEN 'user' THEN 4 WHEN 'tester' THEN 4 WHEN 'curator' THEN 5 WHEN 'bughunter' THEN 6 WHEN 'support' THEN 8 WHEN 'admin' THEN 9 END < CASE OLD.role WHEN 'user' THEN 4 WHEN 'tester' THEN 4 WHEN 'curator' THEN 5 WHEN 'bughunter' THEN 6 WHEN 'support' THEN 8 WHEN 'admin' THEN 9 END) AND EXISTS (SELECT 1 FROM api_keys k WHERE k.account_id = NEW.id AND k.revoked_at IS NULL) BEGIN SELECT RAISE(ABORT, 'its keys must be revoked first'); END

-- trigger accounts_number
CREATE TRIGGER accounts_number BEFORE UPDATE ON accounts WHEN NEW.id <> OLD.id BEGIN SELECT RAISE(ABORT, 'an account keeps its number'); END

-- trigger accounts_unique
CREATE TRIGGER accounts_unique BEFORE INSERT ON accounts WHEN EXISTS (SELECT 1 FROM accounts a WHERE a.id = NEW.id OR a.lemail = NEW.lemail OR a.lusername = NEW.lusername) BEGIN SELECT RAISE(ABORT, 'an account is unique: nothing takes its place'); END

-- trigger api_keys_immutable
CREATE TRIGGER api_keys_immutable BEFORE UPDATE ON api_keys WHEN (NEW.id IS NOT OLD.id OR NEW.account_id IS NOT OLD.account_id OR NEW.name IS NOT OLD.name OR NEW.level IS NOT OLD.level OR NEW.digest IS NOT OLD.digest OR NEW.pepper_id IS NOT OLD.pepper_id OR NEW.nonce IS NOT OLD.nonce OR NEW.made_by_key_id IS NOT OLD.made_by_key_id OR NEW.replaces_id IS NOT OLD.replaces_id OR NEW.created_at IS NOT OLD.created_at OR NEW.expires_at IS NOT OLD.expires_at OR NEW.kind IS NOT OLD.kind OR NEW.environment IS NOT OLD.environment OR NEW.networks IS NOT OLD.networks OR NEW.not_before IS NOT OLD.not_before OR NEW.max_idle IS NOT OLD.max_idle OR NEW.calls_per_minute IS NOT OLD.calls_per_minute OR NEW.calls_per_day IS NOT OLD.calls_per_day OR NEW.note IS NOT OLD.note) OR NEW.counted_with_id IS NOT OLD.counted_with_id OR NEW.audiences IS NOT OLD.audiences BEGIN SELECT RAISE(ABORT, 'a key is immutable'); END

-- trigger api_keys_in_place
CREATE TRIGGER api_keys_in_place BEFORE UPDATE ON api_keys WHEN NEW.rowid <> OLD.rowid BEGIN SELECT RAISE(ABORT, 'a key is immutable'); END

-- trigger api_keys_kept
CREATE TRIGGER api_keys_kept BEFORE DELETE ON api_keys WHEN 1 = 1 BEGIN SELECT RAISE(ABORT, 'a key is revoked, not deleted'); END

-- trigger api_keys_maker
CREATE TRIGGER api_keys_maker BEFORE INSERT ON api_keys WHEN (NEW.made_by_key_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.made_by_key_id AND k.account_id = NEW.account_id AND k.kind = 'account' AND k.revoked_at IS NULL AND NEW.level <= k.level AND NEW.expires_at <= k.expires_at AND (k.retires_at IS NULL OR NEW.expires_at <= k.retires_at) AND (k.networks = '' OR NEW.networks <> '') AND (k.max_idle IS NULL OR NEW.max_idle <= k.max_idle) AND (k.calls_per_minute IS NULL OR NEW.calls_per_minute <= k.calls_per_minute) AND (k.calls_per_day IS NULL OR NEW.calls_per_day <= k.calls_per_day))) OR NEW.made_by_key_id IS NOT NULL AND EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.made_by_key_id AND k.audiences <> '' AND (NEW.audiences = '' OR EXISTS (SELECT 1 FROM json_each('["' || replace(NEW.audiences, ' ', '","') || '"]') n WHERE instr(' ' || k.audiences || ' ', ' ' || n.value || ' ') = 0))) BEGIN SELECT RAISE(ABORT, 'a key stays within its maker''s rights'); END

-- trigger api_keys_owner
CREATE TRIGGER api_keys_owner BEFORE INSERT ON api_keys WHEN NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = NEW.account_id AND a.status = 1 AND a.consent <> 0 AND NEW.level <= CASE a.role WHEN 'user' THEN 4 WHEN 'tester' THEN 4 WHEN 'curator' THEN 5 WHEN 'bughunter' THEN 6 WHEN 'support' THEN 8 WHEN 'admin' THEN 9 END AND (NEW.kind = 'account' OR a.role = 'admin')) BEGIN SELECT RAISE(ABORT, 'a key stays within its owner''s rights'); END

-- trigger api_keys_retired
CREATE TRIGGER api_keys_retired BEFORE UPDATE ON api_keys WHEN NEW.retires_at IS NOT OLD.retires_at AND (OLD.retires_at IS NOT NULL OR NOT EXISTS (SELECT 1 FROM api_keys s WHERE s.replaces_id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'a key retires once, for its successor'); END

-- trigger api_keys_revoked
CREATE TRIGGER api_keys_revoked BEFORE UPDATE ON api_keys WHEN OLD.revoked_at IS NOT NULL AND (NEW.revoked_at IS NOT OLD.revoked_at OR NEW.revoked_reason IS NOT OLD.revoked_reason) BEGIN SELECT RAISE(ABORT, 'a key is revoked for good'); END

-- trigger api_keys_successor
CREATE TRIGGER api_keys_successor BEFORE INSERT ON api_keys WHEN (NEW.replaces_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.replaces_id AND k.account_id = NEW.account_id AND k.name = NEW.name AND k.level = NEW.level AND k.kind = NEW.kind AND k.networks = NEW.networks AND k.max_idle IS NEW.max_idle AND k.calls_per_minute IS NEW.calls_per_minute AND k.calls_per_day IS NEW.calls_per_day)) OR (NEW.counted_with_id IS NOT NULL AND NEW.counted_with_id IS NOT (SELECT COALESCE(c.counted_with_id, c.id) FROM api_keys c WHERE c.id = NEW.replaces_id)) OR (NEW.replaces_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = NEW.replaces_id AND k.audiences = NEW.audiences)) BEGIN SELECT RAISE(ABORT, 'a successor is as the key that it replaces'); END

-- trigger api_keys_unique
CREATE TRIGGER api_keys_unique BEFORE INSERT ON api_keys WHEN EXISTS (SELECT 1 FROM api_keys k WHERE k.rowid = NEW.rowid OR k.id = NEW.id OR k.nonce = NEW.nonce OR k.replaces_id = NEW.replaces_id) BEGIN SELECT RAISE(ABORT, 'a key is unique: nothing takes its place'); END

-- trigger audit_events_final
CREATE TRIGGER audit_events_final BEFORE UPDATE ON audit_events WHEN 1 = 1 BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END

-- trigger audit_events_kept
CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events WHEN NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.action = 'record:ended-by-retention' AND OLD.id < json_extract(e.details, '$.before') AND OLD.at <= e.at - 34560000000 AND e.at <= CAST(strftime('%s', 'now') AS INTEGER) * 1000 + 86400000) BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END

-- trigger audit_events_unique
CREATE TRIGGER audit_events_unique BEFORE INSERT ON audit_events WHEN EXISTS (SELECT 1 FROM audit_events e WHERE e.id = NEW.id) BEGIN SELECT RAISE(ABORT, 'the record is append-only'); END

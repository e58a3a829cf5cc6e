"""The examples for the shell."""

SAMPLES = {
    "ask": """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  "$CHATELAINE_URL/api/whoami/key\"""",
    "create": """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  --json '{"name": "nightly build", "level": 1, "expiresIn": 86400}' \\
  "$CHATELAINE_URL/api/apikeys/key\"""",
    "rotate": """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  --json '{"overlap": 3600}' \\
  "$CHATELAINE_URL/api/apikeys/$CHATELAINE_KEY/rotate/key\"""",
    "revoke": """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" -w '%{http_code}\\n' \\
  -X DELETE "$CHATELAINE_URL/api/apikeys/$CHATELAINE_KEY/key\"""",
    "introspect": """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  --data-urlencode "token=$VISITOR_SECRET" \\
  "$CHATELAINE_URL/api/introspect\"""",
    "authorize": """\
curl -i -H "Authorization: Bearer $VISITOR_SECRET" \\
  "$CHATELAINE_URL/api/authorize?level=3\"""",
}

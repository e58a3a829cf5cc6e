"""The examples in Go. They need nothing but its standard library."""

_PROGRAM = """\
package main

import (
{imports})

func main() {{
\turl, key := os.Getenv("CHATELAINE_URL"), os.Getenv("CHATELAINE_KEY")
{request}
\tcall.SetBasicAuth(key, os.Getenv("CHATELAINE_SECRET"))
{rest}
}}"""
_SEND = """\
\tanswer, err := http.DefaultClient.Do(call)
\tif err != nil {
\t\tlog.Fatal(err)
\t}
\tdefer answer.Body.Close()
"""


def _program(imports: str, request: str, rest: str) -> str:
    lines = "".join(f'\t"{name}"\n' for name in imports.split())
    return _PROGRAM.format(imports=lines, request=request, rest=rest)


def _decoded(fields: str, printed: str) -> str:
    return (
        _SEND
        + f"""\
\tvar told struct {{
{fields}
\t}}
\tif err := json.NewDecoder(answer.Body).Decode(&told); err != nil {{
\t\tlog.Fatal(err)
\t}}
\tfmt.Println({printed})"""
    )


SAMPLES = {
    "ask": _program(
        "encoding/json fmt log net/http os",
        '\tcall, _ := http.NewRequest("GET", url+"/api/whoami/key", nil)',
        _decoded("\t\tApikey struct{ Level int }", "told.Apikey.Level"),
    ),
    "create": _program(
        "encoding/json fmt log net/http os strings",
        """\
\tbody := strings.NewReader(`{"name": "nightly build", "level": 1, "expiresIn": 86400}`)
\tcall, _ := http.NewRequest("POST", url+"/api/apikeys/key", body)
\tcall.Header.Set("Content-Type", "application/json")""",
        _decoded(
            "\t\tApikey  struct{ Key, ExpiresAt string }\n\t\tMessage string",
            "told.Apikey.Key, told.Apikey.ExpiresAt, told.Message",
        ),
    ),
    "rotate": _program(
        "encoding/json fmt log net/http os strings",
        """\
\tbody := strings.NewReader(`{"overlap": 3600}`)
\tcall, _ := http.NewRequest("POST", url+"/api/apikeys/"+key+"/rotate/key", body)
\tcall.Header.Set("Content-Type", "application/json")""",
        _decoded(
            "\t\tApikey   struct{ Key string }\n\t\tReplaces string",
            'told.Apikey.Key, "replaces", told.Replaces',
        ),
    ),
    "revoke": _program(
        "fmt log net/http os",
        '\tcall, _ := http.NewRequest("DELETE", url+"/api/apikeys/"+key+"/key", nil)',
        _SEND + "\tfmt.Println(answer.StatusCode)",
    ),
    "introspect": _program(
        "encoding/json fmt log net/http net/url os strings",
        """\
\tform := url.Values{"token": {os.Getenv("VISITOR_SECRET")}}
\tcall, _ := http.NewRequest("POST", base+"/api/introspect", strings.NewReader(form.Encode()))
\tcall.Header.Set("Content-Type", "application/x-www-form-urlencoded")""",
        _decoded("\t\tActive   bool\n\t\tUsername string", "told.Active, told.Username"),
    ).replace("\turl, key :=", "\tbase, key :="),
}

#!/bin/sh
# Puts policy, index template and dashboards in place; can be run again. Needs curl.
# AUTH holds further arguments of curl, for instance AUTH='--user elastic --cacert ca.pem'.
set -eu
cd "$(dirname "$0")"
url=${ELASTICSEARCH_URL:-http://localhost:9200}
kibana=${KIBANA_URL:-}

put() {
    # shellcheck disable=SC2086  # AUTH is several words
    curl -sS --fail-with-body ${AUTH:-} -X PUT -H 'Content-Type: application/json' --data-binary "$2" "$url/$1"
    echo
}

put _ilm/policy/metaexpert @ilm-policy.json
put _index_template/metaexpert @index-template.json

if [ -n "$kibana" ]; then
    # shellcheck disable=SC2086
    curl -sS --fail-with-body ${AUTH:-} -X POST -H 'kbn-xsrf: true' -F file=@kibana.ndjson \
        "$kibana/api/saved_objects/_import?overwrite=true"
    echo
fi

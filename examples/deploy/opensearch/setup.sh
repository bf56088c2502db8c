#!/bin/sh
# Puts policy, index template and dashboards in place; can be run again. Needs curl.
set -eu
cd "$(dirname "$0")"
url=${OPENSEARCH_URL:-http://localhost:9200}
dashboards=${DASHBOARDS_URL:-}

put() {
    curl -sS --fail-with-body -X PUT -H 'Content-Type: application/json' --data-binary "$2" "$url/$1"
    echo
}

# a policy is created once; changing one needs its sequence number, which the guide shows
if ! curl -sf -o /dev/null "$url/_plugins/_ism/policies/metaexpert"; then
    put _plugins/_ism/policies/metaexpert @ism-policy.json
fi
# one node can hold no replica: REPLICAS=0 keeps its health green
sed "s/\"number_of_replicas\": 1/\"number_of_replicas\": ${REPLICAS:-1}/" index-template.json > /tmp/index-template.json
put _index_template/metaexpert @/tmp/index-template.json

if [ -n "$dashboards" ]; then
    until curl -sf -o /dev/null "$dashboards/api/status"; do sleep 2; done
    curl -sS --fail-with-body -X POST -H 'osd-xsrf: true' -F file=@dashboards.ndjson \
        "$dashboards/api/saved_objects/_import?overwrite=true"
    echo
fi

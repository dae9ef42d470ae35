#!/bin/bash
# As the official image does: KAFKA_SOME_NAME becomes some.name in server.properties, the storage is formatted once, Kafka runs.
set -euo pipefail
properties=/tmp/server.properties
: >"$properties"
while IFS='=' read -r name value; do
    case $name in
    KAFKA_HEAP_OPTS | KAFKA_OPTS) ;;
    KAFKA_*) echo "$(echo "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')=$value" >>"$properties" ;;
    esac
done < <(env)
run() { exec java ${KAFKA_HEAP_OPTS:-} -cp '/opt/kafka/libs/*' -Dorg.slf4j.simpleLogger.defaultLogLevel=warn "$@"; }
(run kafka.tools.StorageTool format --ignore-formatted --cluster-id c2lnaHRsaW5lLXRlc3RzLQ --config "$properties")
run kafka.Kafka "$properties"

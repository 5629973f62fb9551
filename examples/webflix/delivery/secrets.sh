#!/bin/sh
# Makes each environment's database password, once, on both sides: for the catalogue, and for the
# database itself. A password is in the cluster only, never in Git and never in an image.
set -eu

for environment in dev staging production; do
    if fairway kubectl get secret catalogue -n "webflix-$environment" >/dev/null 2>&1; then
        continue
    fi
    password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    for place in "films-$environment webflix-data" "catalogue webflix-$environment"; do
        # shellcheck disable=SC2086  # a name and a namespace
        set -- $place
        fairway kubectl apply -f - <<EOF
apiVersion: v1
kind: Secret
metadata: { name: $1, namespace: $2 }
stringData: { DATABASE_PASSWORD: "$password" }
EOF
    done
done

#!/bin/sh
# Makes each environment's database password, once, on both sides: for the catalogue, and for the
# database itself. A password is in the cluster only, never in Git and never in an image.
set -eu

known=$(fairway kubectl get secrets -A --field-selector metadata.name=catalogue \
    -o 'jsonpath={.items[*].metadata.namespace}')
made=$(
    for environment in dev staging production; do
        case " $known " in *" webflix-$environment "*) continue ;; esac
        password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
        for place in "films-$environment webflix-data" "catalogue webflix-$environment"; do
            cat <<EOF
---
apiVersion: v1
kind: Secret
metadata: { name: ${place% *}, namespace: ${place#* } }
stringData: { DATABASE_PASSWORD: "$password" }
EOF
        done
    done
)
[ -z "$made" ] || printf '%s\n' "$made" | fairway kubectl apply -f -

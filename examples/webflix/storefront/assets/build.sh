#!/bin/sh
# app.js with all it imports, and the style sheet, into static/ under names that change with them.
set -eu
cd "$(dirname "$0")/.."
rm -rf static
esbuild assets/app.js assets/style.css --bundle --minify --target=es2020 \
    --entry-names='[name]-[hash]' --outdir=static --log-level=warning
ls -l static

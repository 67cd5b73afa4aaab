#!/usr/bin/env bash
# Rebuild geoseg/report/assets/viewer.js: OpenLayers, at the version that the lock pins,
# and src/ in one file. Needs Node.js 20 or newer, and the npm registry once.
set -euo pipefail
cd "$(dirname "$0")"
assets=../../geoseg/report/assets
npm ci --no-audit --no-fund --loglevel=error
npx esbuild src/viewer.js --bundle --minify --format=iife --target=es2022 \
  --charset=ascii --legal-comments=none --outfile="$assets/viewer.js"
{
  for package in ol rbush quickselect; do
    [ -d "node_modules/$package" ] || continue
    echo "== $package $(node -p "require('./node_modules/$package/package.json').version")"
    cat "node_modules/$package"/LICENSE*
    echo
  done
} > "$assets/viewer.LICENSE.txt"

#!/usr/bin/env bash
# A browser for the tests of the HTML report: Debian's Chromium and its driver, if apt is there and they are not.
# Never fails: without a browser those tests are skipped and say so.
set -u
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then exit 0; fi
command -v apt-get >/dev/null || { echo "no apt-get: the browser tests will be skipped"; exit 0; }
(apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium chromium-driver) >/dev/null 2>&1 \
  || echo "Chromium could not be installed: the browser tests will be skipped"
exit 0

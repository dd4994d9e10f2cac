#!/usr/bin/env node
// prebuildify calls this in the place of node-gyp. cmake-js itself will not do: it takes node-gyp's --target for its
// own. The addon is the one that scripts/prebuildify.mjs has just built.

import { copyFileSync, mkdirSync } from 'node:fs'

mkdirSync('build/Release', { recursive: true })
copyFileSync(process.env.AIOMQTT_PREBUILT, 'build/Release/aiomqtt.node')

#!/usr/bin/env node
// prebuildify calls this in the place of node-gyp. cmake-js itself will not do: it takes node-gyp's --target for its
// own. The addon is the one that scripts/setup.mjs has just brought up to date.

import { copyFileSync, mkdirSync } from 'node:fs'
import { at } from './steps.mjs'

mkdirSync('build/Release', { recursive: true })
copyFileSync(at('build/Release/aiomqtt.node'), 'build/Release/aiomqtt.node')

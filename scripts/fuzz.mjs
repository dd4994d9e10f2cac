// npm run fuzz -- --minutes N: libFuzzer on everything native that parses bytes, with AddressSanitizer and
// UndefinedBehaviorSanitizer.
//
//   node scripts/fuzz.mjs [--minutes N] [--target name] [--keep]
//
// The minutes, 5 unless given, are shared by the targets (native/fuzz/targets.h). What is found grows in build/fuzz/corpus;
// --keep then minimises it into native/fuzz/corpus, which the native tests run through. An input that fails is in
// build/fuzz/findings.

import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { preparePaho } from '../deps/prepare.mjs'
import { provideClang } from './clang.mjs'
import { buildNative } from './native-tests.mjs'
import { at, Failure, main, run, say } from './steps.mjs'

/** Longer inputs find nothing that shorter ones do not, and take longer. */
const LONGEST_INPUT = 4096

const environment = {
  ...process.env,
  ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
}

function fuzz(folder, target, seconds) {
  say(`Fuzzing ${target} for ${Math.round(seconds)} s`)
  const [working, findings] = ['corpus', 'findings'].map((name) => at('build/fuzz', name, target))
  for (const path of [working, findings]) mkdirSync(path, { recursive: true })
  run(
    `${folder}/fuzz-${target}`,
    [
      `-max_total_time=${Math.ceil(seconds)}`,
      `-max_len=${LONGEST_INPUT}`,
      '-timeout=10',
      // Looking for leaks after each input takes nearly all the time; the native tests look, with the corpus.
      '-detect_leaks=0',
      '-rss_limit_mb=2048',
      '-verbosity=0',
      '-print_final_stats=1',
      `-artifact_prefix=${findings}/`,
      working,
      at('native/fuzz/corpus', target),
    ],
    { env: environment },
  )
  console.log(`${readdirSync(working).length} inputs in the working corpus`)
}

/** The fewest inputs that reach what the working corpus reaches. */
function keep(folder, target) {
  const kept = at('native/fuzz/corpus', target)
  const before = `${at('build/fuzz/corpus', target)}`
  mkdirSync(before, { recursive: true })
  for (const [from, to] of [
    [kept, before],
    [before, kept],
  ]) {
    run(`${folder}/fuzz-${target}`, ['-set_cover_merge=1', '-use_counters=0', '-verbosity=0', to, from], {
      env: environment,
    })
    if (from === kept) rmSync(kept, { recursive: true })
    mkdirSync(kept, { recursive: true })
  }
  console.log(`${target}: ${readdirSync(kept).length} inputs kept`)
}

await main(() => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      target: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  })
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Failure('--minutes takes a number above 0.')
  const { fuzz: sources } = JSON.parse(readFileSync(at('native/sources.json'), 'utf8'))
  const all = sources.map((file) => /^native\/fuzz\/(\w+)\.cpp$/.exec(file)?.[1]).filter(Boolean)
  const targets = values.target === undefined ? all : all.filter((name) => name === values.target)
  if (targets.length === 0) throw new Failure(`No target ${values.target}. There are ${all.join(', ')}.`)
  preparePaho({ log: say })
  const { compiler } = provideClang()
  const settings = { AIOMQTT_FUZZ: 'ON', AIOMQTT_WARNINGS_AS_ERRORS: 'OFF', CMAKE_CXX_COMPILER: compiler }
  const folder = buildNative('fuzz/build', 'address,undefined', settings)
  for (const target of targets) fuzz(folder, target, (60 * minutes) / targets.length)
  if (values.keep) for (const target of targets) keep(folder, target)
})

// The C library and C++ runtime that binaries for others are linked with, and that binaries of other architectures run
// with here: Debian's of an old release, unpacked. The older the C library, the more systems take the binary.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { download, extract, multiarchTriplet } from './debian.mjs'

/** Debian 11: glibc 2.31, GCC 10. Older ones are in Debian's archive alone. */
const RELEASE = 'bullseye'
const GCC = 10

const PACKAGES = [
  ...['libc6', 'libc6-dev', 'linux-libc-dev'],
  ...[`libgcc-${GCC}-dev`, `libstdc++-${GCC}-dev`],
  // What Node itself runs with.
  ...['libgcc-s1', 'libstdc++6', 'libatomic1'],
]

/**
 * Makes build/sysroot/<arch>.
 *
 * @param {string} arch Node's name of the architecture
 * @param {(line: string) => void} [log]
 * @returns {string} the folder
 * @throws {Error} with what apt said
 */
export function provideSysroot(arch, log = () => {}) {
  const folder = fileURLToPath(new URL(`../build/sysroot/${RELEASE}-${arch}`, import.meta.url))
  if (existsSync(folder)) {
    leaveOutLoader(folder, arch)
    return folder
  }
  log(`Fetching Debian's C library and C++ runtime for ${arch}`)
  const work = `${folder}.${process.pid}`
  mkdirSync(work, { recursive: true })
  try {
    const packages = join(work, 'packages')
    for (const deb of download(PACKAGES, packages, { arch, release: RELEASE })) extract(deb, work)
    rmSync(packages, { recursive: true })
    makeLinksRelative(work)
    leaveOutLoader(work, arch)
    renameSync(work, folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return folder
}

/** Absolute links would lead out of the folder, into this machine's own libraries. */
function makeLinksRelative(root) {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue
    const link = join(entry.parentPath ?? entry.path, entry.name)
    const target = readlinkSync(link)
    if (!target.startsWith('/')) continue
    rmSync(link)
    symlinkSync(relative(dirname(link), join(root, target)), link)
  }
}

/**
 * What glibc's loader defines (`__tls_get_addr`) is found in it without its being named, since it is there; and a binary
 * that does not name it is one that musl's loader takes, too.
 */
function leaveOutLoader(root, arch) {
  const script = join(root, 'usr/lib', multiarchTriplet(arch), 'libc.so')
  const text = readFileSync(script, 'utf8')
  writeFileSync(script, text.replace(/ AS_NEEDED \([^)]*\)/, ''))
}

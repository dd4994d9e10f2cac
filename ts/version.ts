/** The version of this package, as in its package.json: Python's `__version__`. */
export const version: string = '0.1.0'

/** The version in parts, numbers where they are numbers: `[0, 1, 0]`. Python's `__version_tuple__`. */
export const versionTuple: ReadonlyArray<number | string> = Object.freeze(
  version.split(/[.+-]/).map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
)

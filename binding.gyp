{
  # node-gyp's build of the addon, from the same list of sources as CMakeLists.txt; keep the flags in step.
  'variables': {
    'paho_folder': '<!(node deps/prepare.mjs --arch <(target_arch) --print)',
    'paho_version': '<!(node -p "require(\'./deps/paho.json\').version")',
    'node_addon_api': '<!(node -p "path.dirname(require.resolve(\'node-addon-api\'))")'
  },
  'targets': [
    {
      'target_name': 'aiomqtt',
      'sources': [
        '<!@(node -p "const list = require(\'./native/sources.json\'); [...list.engine, ...list[process.platform], ...list.addon].join(\' \')")'
      ],
      'include_dirs': ['native'],
      'defines': [
        'AIOMQTT_PAHO_VERSION="<(paho_version)"',
        'NAPI_VERSION=9',
        'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
        'NODE_ADDON_API_DISABLE_DEPRECATED'
      ],
      # node-gyp would compile for the C++ of Node itself, without exceptions and at -O3.
      'cflags!': ['-O3'],
      'cflags': [
        '-isystem <(paho_folder)/include',
        '-isystem <(node_addon_api)'
      ],
      'cflags_cc!': ['-std=gnu++14', '-std=gnu++17', '-std=gnu++20', '-fno-exceptions', '-fno-rtti'],
      'cflags_cc': [
        '-std=c++20',
        '-O2',
        '-Wall',
        '-Wextra',
        '-Wpedantic',
        '-fvisibility=hidden',
        '-fvisibility-inlines-hidden',
        '-ffunction-sections',
        '-fdata-sections'
      ],
      'conditions': [
        ['OS!="win"', { 'libraries': ['<(paho_folder)/libpaho-mqtt.a'] }],
        ['OS=="linux"', {
          'ldflags': [
            '-pthread',
            '-Wl,-z,nodelete',
            '-Wl,-z,relro',
            '-Wl,-z,now',
            '-Wl,-Bsymbolic',
            '-Wl,--exclude-libs,ALL',
            '-Wl,--gc-sections',
            '-Wl,--version-script=<(module_root_dir)/native/addon/exports.map',
            '-static-libstdc++',
            '-static-libgcc'
          ]
        }],
        ['OS=="mac"', {
          'include_dirs': ['<(paho_folder)/include', '<(node_addon_api)'],
          'xcode_settings': {
            'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
            'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
            'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
            'MACOSX_DEPLOYMENT_TARGET': '11.0'
          }
        }],
        ['OS=="win"', {
          'include_dirs': ['<(paho_folder)/include', '<(node_addon_api)'],
          'defines': ['NOMINMAX', 'WIN32_LEAN_AND_MEAN', '_WIN32_WINNT=0x0A00'],
          'libraries': ['<(paho_folder)/paho-mqtt.lib', 'ws2_32.lib', 'crypt32.lib'],
          'msvs_settings': {
            'VCCLCompilerTool': { 'ExceptionHandling': 1, 'AdditionalOptions': ['/std:c++20', '/Zc:__cplusplus'] }
          }
        }]
      ]
    }
  ]
}

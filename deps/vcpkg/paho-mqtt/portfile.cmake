# The one version that native/paho/symbols.json is about; without OpenSSL, because TLS is Node's.
vcpkg_check_linkage(ONLY_STATIC_LIBRARY)

vcpkg_from_github(
  OUT_SOURCE_PATH source
  REPO eclipse-paho/paho.mqtt.c
  REF v1.3.14
  SHA512 5576ac3531a5c707f92a02cbfb9d60710b42acd99f57bcde311aa224780267a5152e8b92a6b077afab4780ee236d5e0c2a0b8986453439bce4323758b3d4385b
)

vcpkg_cmake_configure(
  SOURCE_PATH "${source}"
  OPTIONS
    -DPAHO_BUILD_SHARED=OFF
    -DPAHO_BUILD_STATIC=ON
    -DPAHO_WITH_SSL=OFF
    -DPAHO_ENABLE_TESTING=OFF
)
vcpkg_cmake_install()

file(REMOVE_RECURSE
  "${CURRENT_PACKAGES_DIR}/debug/include"
  "${CURRENT_PACKAGES_DIR}/debug/lib/cmake"
  "${CURRENT_PACKAGES_DIR}/lib/cmake")
vcpkg_install_copyright(FILE_LIST "${source}/LICENSE")

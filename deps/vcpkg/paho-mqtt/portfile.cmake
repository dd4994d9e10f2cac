# The one version that native/paho/symbols.json is about; without OpenSSL, because TLS is Node's.
vcpkg_check_linkage(ONLY_STATIC_LIBRARY)

vcpkg_from_github(
  OUT_SOURCE_PATH source
  REPO eclipse-paho/paho.mqtt.c
  REF v1.3.12
  SHA512 3152b557a8ab7c9b9c80277283e0f5e9965ce4c2ebbdaef0f238908d49e6fa1281aa72932ea112a836144b79656e4abe6e0cbd93840429a52e501a2c6b12d313
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

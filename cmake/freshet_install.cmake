# Installs the library, its headers and a package that find_package(freshet) finds.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(freshet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/freshet)

install(TARGETS freshet EXPORT freshet_targets FILE_SET HEADERS)
install(EXPORT freshet_targets NAMESPACE freshet:: FILE freshetTargets.cmake
  DESTINATION ${freshet_package_dir})

configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/freshetConfig.cmake.in ${PROJECT_BINARY_DIR}/freshetConfig.cmake
  INSTALL_DESTINATION ${freshet_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/freshetConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/freshetConfig.cmake
  ${PROJECT_BINARY_DIR}/freshetConfigVersion.cmake
  ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
  DESTINATION ${freshet_package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

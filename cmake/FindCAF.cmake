# Finds the C++ Actor Framework, which ships no CMake package of its own in Debian.
#
#   find_package(CAF 0.17 REQUIRED COMPONENTS core io openssl)
#
# gives the targets CAF::core, CAF::io and CAF::openssl and sets CAF_VERSION. Only 0.17 is accepted: 0.18 replaced
# atoms and message types, and nothing written for the one compiles with the other.
find_path(CAF_INCLUDE_DIR NAMES caf/config.hpp)

if(CAF_INCLUDE_DIR)
  # #define CAF_VERSION 1706 is major * 10000 + minor * 100 + patch.
  file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp caf_version_line REGEX "^#define CAF_VERSION [0-9]+")
  if(NOT caf_version_line)
    # From 0.18 on, the number lives in a generated header.
    if(EXISTS ${CAF_INCLUDE_DIR}/caf/detail/build_config.hpp)
      file(STRINGS ${CAF_INCLUDE_DIR}/caf/detail/build_config.hpp caf_version_line REGEX "^#define CAF_VERSION [0-9]+")
    endif()
  endif()
  if(caf_version_line MATCHES "([0-9]+)$")
    math(EXPR caf_major "${CMAKE_MATCH_1} / 10000")
    math(EXPR caf_minor "(${CMAKE_MATCH_1} / 100) % 100")
    math(EXPR caf_patch "${CMAKE_MATCH_1} % 100")
    set(CAF_VERSION "${caf_major}.${caf_minor}.${caf_patch}")
    if(NOT "${caf_major}.${caf_minor}" STREQUAL "0.17")
      message(FATAL_ERROR "CAF ${CAF_VERSION} in ${CAF_INCLUDE_DIR} can't be used: Holdfast is written for 0.17. "
                          "Debian 12's libcaf-dev has 0.17.6; point -DCAF_INCLUDE_DIR and -DCAF_core_LIBRARY (...) at it.")
    endif()
  endif()
endif()

set(caf_link_core Threads::Threads)
set(caf_link_io CAF::core)
set(caf_link_openssl CAF::io)
foreach(component core io openssl)
  find_library(CAF_${component}_LIBRARY NAMES caf_${component})
  mark_as_advanced(CAF_${component}_LIBRARY)
  if(CAF_INCLUDE_DIR AND CAF_${component}_LIBRARY)
    set(CAF_${component}_FOUND TRUE)
    if(NOT TARGET CAF::${component})
      add_library(CAF::${component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${component} PROPERTIES
        IMPORTED_LOCATION ${CAF_${component}_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR}
        INTERFACE_LINK_LIBRARIES ${caf_link_${component}})
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF
  REQUIRED_VARS CAF_core_LIBRARY CAF_INCLUDE_DIR
  VERSION_VAR CAF_VERSION
  HANDLE_COMPONENTS
  REASON_FAILURE_MESSAGE "on Debian: apt-get install libcaf-dev (scripts/setup installs all that is needed)")
mark_as_advanced(CAF_INCLUDE_DIR)

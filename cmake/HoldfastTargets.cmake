# holdfast_library(ROOM SOURCES... LINKS...) and holdfast_test(NAME SOURCES... LINKS...), so that every room is
# built with the same warnings and every test is registered with a time limit.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Clones of this repository find each other's results, precompiled headers included.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options(-fpch-preprocess)
  endif()
endif()
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(holdfast_options INTERFACE)
target_compile_options(holdfast_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Werror=return-type -Werror=switch -fno-omit-frame-pointer)
target_include_directories(holdfast_options INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(holdfast_options INTERFACE Threads::Threads)
if(HOLDFAST_SANITIZE)
  target_compile_options(holdfast_options INTERFACE -fsanitize=address,undefined -fno-sanitize=null -g)
  target_link_options(holdfast_options INTERFACE -fsanitize=address,undefined)
endif()

function(holdfast_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(holdfast_${name} STATIC ${arg_SOURCES})
  target_link_libraries(holdfast_${name} PUBLIC holdfast_options ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
endfunction()

function(holdfast_optimise_less name)
  if(CMAKE_BUILD_TYPE STREQUAL Release)
    target_compile_options(${name} PRIVATE -O1)
  endif()
endfunction()

function(holdfast_share_gtest_header name)
  if(NOT TARGET holdfast_gtest_header)
    file(WRITE ${PROJECT_BINARY_DIR}/gtest_header.cpp "")
    add_library(holdfast_gtest_header STATIC ${PROJECT_BINARY_DIR}/gtest_header.cpp)
    target_link_libraries(holdfast_gtest_header PRIVATE holdfast_options GTest::gtest GTest::gmock)
    holdfast_optimise_less(holdfast_gtest_header)
    target_precompile_headers(holdfast_gtest_header PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
  endif()
  target_precompile_headers(${name} REUSE_FROM holdfast_gtest_header)
endfunction()

# One test binary; run as one ctest entry, so that its output is one story. LABELS and TIMEOUT (seconds) are optional.
# Compiling them is most of a build's time, so the tests themselves are optimised less, unless they are BUSY, and share
# one precompiled header, unless they have an OWN_HEADER.
function(holdfast_test name)
  cmake_parse_arguments(arg "BUSY;OWN_HEADER" "TIMEOUT" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT HOLDFAST_TESTS)
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  find_package(GTest REQUIRED)
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  if(NOT arg_BUSY)
    holdfast_optimise_less(${name})
    if(NOT arg_OWN_HEADER)
      holdfast_share_gtest_header(${name})
    endif()
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()

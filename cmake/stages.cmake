# One static library per stage. Each stage's CMakeLists.txt links the stages its includes may reach,
# in this order: base < event < source ring state < field < filter output < chisel merge < worker < cli.
enable_testing()

function(burin_stage name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_library(burin_${name} STATIC ${A_SOURCES})
  target_link_libraries(burin_${name} PUBLIC burin_flags ${A_LINK})
endfunction()

# A cmocka unit test: tests/unit/NAME.c linked with the stages it needs.
function(burin_unit_test name)
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  if(BURIN_TESTS)
    add_executable(test_${name} ${CMAKE_SOURCE_DIR}/tests/unit/${name}.c)
    target_link_libraries(test_${name} PRIVATE ${A_LINK} cmocka)
    add_test(NAME unit_${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

# Marks a test that starts threads: the run under the thread sanitizer builds and runs these alone.
add_custom_target(threads_tests)
function(burin_threads_test test target)
  set_tests_properties(${test} PROPERTIES LABELS threads)
  add_dependencies(threads_tests ${target})
endfunction()

foreach(stage base event source ring state live field filter output chisel merge worker cli)
  if(EXISTS ${CMAKE_SOURCE_DIR}/engine/${stage}/CMakeLists.txt)
    add_subdirectory(engine/${stage})
  endif()
endforeach()
if(BURIN_BENCH)
  set(benchmarks bench)
endif()
foreach(dir bpf tests ${benchmarks})
  if(EXISTS ${CMAKE_SOURCE_DIR}/${dir}/CMakeLists.txt)
    add_subdirectory(${dir})
  endif()
endforeach()

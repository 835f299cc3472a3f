# The manual and the completions, made by the built program from its own tables, and where everything goes. The Lua
# helpers of chisels (lua/) are inside the program.
include(GNUInstallDirs)
set(share ${CMAKE_BINARY_DIR}/share)
set(completions ${share}/burin.bash ${share}/_burin ${share}/burin.fish)
file(GLOB chisels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/chisels/*.lua)

install(TARGETS burin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${chisels} DESTINATION ${CMAKE_INSTALL_DATADIR}/burin/chisels)
install(FILES docs/differences.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# Programs with sanitizers may not run while building (address space of the thread sanitizer).
if(BURIN_SANITIZE)
  return()
endif()
add_custom_command(
  OUTPUT ${share}/burin.1
  COMMAND ${CMAKE_COMMAND} -E make_directory ${share}
  COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/gen_man.py $<TARGET_FILE:burin> ${CMAKE_SOURCE_DIR}
    ${PROJECT_VERSION} ${CMAKE_INSTALL_FULL_DATADIR} ${CMAKE_INSTALL_FULL_DOCDIR} ${share}/burin.1
  DEPENDS burin ${chisels} docs/burin.1.in tools/gen_man.py tools/examples.txt engine/filter/filter_funcs.def
  COMMENT "Making the manual")
add_custom_command(
  OUTPUT ${completions}
  COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/gen_completions.py $<TARGET_FILE:burin> ${CMAKE_SOURCE_DIR} ${share}
  DEPENDS burin ${chisels} tools/gen_completions.py
  COMMENT "Making the completions")
add_custom_target(share ALL DEPENDS ${share}/burin.1 ${completions})

install(FILES ${share}/burin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${share}/burin.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME burin)
install(FILES ${share}/_burin DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${share}/burin.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

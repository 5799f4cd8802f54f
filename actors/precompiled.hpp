// The precompiled header of this room (CMakeLists.txt): CAF's and spdlog's headers cost seconds a file.
#pragma once

#include <caf/all.hpp>
#include <spdlog/spdlog.h>

// libfmt.so has it, and every file that logs would compile all of fmt's formatting once more.
extern template void fmt::detail::vformat_to(fmt::detail::buffer<char>&, fmt::string_view,
                                             fmt::basic_format_args<fmt::buffer_context<char>>,
                                             fmt::detail::locale_ref);

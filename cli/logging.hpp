// Sets up spdlog's default logger, which every room writes to.
#pragma once

#include "base/result.hpp"
#include "config/node_config.hpp"

namespace holdfast::cli {

// To settings.log_file (appended to), or to standard error. Error: io_failed (the file can't be written).
result<void> set_up_logging(const config::node_config& settings);

} // namespace holdfast::cli

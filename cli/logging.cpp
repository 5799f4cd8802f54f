#include "cli/logging.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace holdfast::cli {

namespace {

spdlog::level::level_enum level_of(config::log_level level) {
    switch (level) {
    case config::log_level::trace:
        return spdlog::level::trace;
    case config::log_level::debug:
        return spdlog::level::debug;
    case config::log_level::info:
        return spdlog::level::info;
    case config::log_level::warning:
        return spdlog::level::warn;
    case config::log_level::error:
        return spdlog::level::err;
    case config::log_level::off:
        return spdlog::level::off;
    }
    return spdlog::level::info;
}

} // namespace

result<void> set_up_logging(const config::node_config& settings) {
    spdlog::sink_ptr sink;
    try {
        if (settings.log_file.empty())
            sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
        else
            sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.log_file.string());
    } catch (const spdlog::spdlog_ex& failure) {
        return error{errc::io_failed,
                     fmt::format("logFile = '{}': {}", settings.log_file.string(), failure.what())};
    }
    auto logger = std::make_shared<spdlog::logger>("holdfast", std::move(sink));
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    logger->set_level(level_of(settings.level));
    // Lines are few, and the last ones before a crash are the ones that matter.
    logger->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
    return {};
}

} // namespace holdfast::cli

#include "actors/node.hpp"
#include "cli/commands.hpp"
#include "cli/logging.hpp"
#include "config/load.hpp"
#include "config/settings.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

namespace holdfast::cli {

namespace {

constexpr std::string_view usage =
    "usage: holdfast serve [--config FILE] [--KEY=VALUE ...]\n\n"
    "Runs a node until SIGTERM or SIGINT. Without a file every key has its default.\n\n";

struct serve_words {
    std::optional<std::filesystem::path> file;
    std::vector<std::string> settings;
    bool wants_help = false;
};

result<serve_words> understand(std::span<const std::string> arguments) {
    constexpr std::string_view config_equals = "--config=";
    serve_words words;
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const auto& word = arguments[index];
        if (word == "--help" || word == "-h") {
            words.wants_help = true;
        } else if (word == "--config" || word.starts_with(config_equals)) {
            const bool is_next = word == "--config";
            if (is_next && index + 1 == arguments.size())
                return error{errc::invalid_argument, "--config needs a file, as --config config/single.conf"};
            if (words.file)
                return error{errc::invalid_argument, "--config may be given once"};
            words.file = is_next ? arguments[++index] : word.substr(config_equals.size());
        } else {
            words.settings.push_back(word);
        }
    }
    return words;
}

// Many systems allow 1024 files until asked for more.
void raise_file_limit(const config::node_config& settings) {
    constexpr rlim_t beside_connections = 2048; // segments, the derived store, other nodes
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &files) != 0 || ::getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    if (files.rlim_cur < settings.max_connections + beside_connections)
        spdlog::warn("only {} files may be open (ulimit -Hn): that is too few for maxConnections = {}",
                     files.rlim_cur, settings.max_connections);
}

} // namespace

int run_serve(std::span<const std::string> arguments) {
    const auto refuse = [](const error& failure) {
        fmt::print(stderr, "holdfast serve: {}\n", failure.message);
        return exit_misused;
    };
    const auto words = understand(arguments);
    if (!words)
        return refuse(words.failure());
    if (words->wants_help) {
        fmt::print("{}{}", usage, config::settings_help());
        return exit_done;
    }
    const auto loaded = config::load(words->file, words->settings);
    if (!loaded)
        return refuse(loaded.failure());
    if (const auto logging = set_up_logging(loaded->values); !logging)
        return refuse(logging.failure());
    for (const auto& warning : loaded->warnings)
        spdlog::warn("{}", warning);
    raise_file_limit(loaded->values);
    return actors::run_node(loaded->values);
}

} // namespace holdfast::cli

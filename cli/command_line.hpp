// How a subcommand reads its words: Boost.Program_options, with errors and help in our own voice.
#pragma once

#include "base/result.hpp"
#include "cli/commands.hpp"

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::cli {

// `options` are shown in the help; `places` names the words without dashes, in their order (they must be in
// `hidden`). Returns the exit code when there is nothing left to do: after --help, or after an error was
// said.
inline std::optional<int> understand(std::span<const std::string> arguments, std::string_view usage,
                                     const boost::program_options::options_description& shown,
                                     const boost::program_options::options_description& hidden,
                                     const boost::program_options::positional_options_description& places,
                                     boost::program_options::variables_map& words) {
    namespace po = boost::program_options;
    po::options_description all;
    all.add(shown).add(hidden);
    try {
        po::store(po::command_line_parser(std::vector<std::string>(arguments.begin(), arguments.end()))
                      .options(all)
                      .positional(places)
                      .run(),
                  words);
        if (words.count("help") != 0) {
            std::ostringstream text;
            text << shown;
            fmt::print("{}\n{}", usage, text.str());
            return exit_done;
        }
        po::notify(words);
        return std::nullopt;
    } catch (const po::error& wrong) {
        const auto first_line = usage.substr(0, usage.find('\n'));
        fmt::print(stderr, "holdfast: {}\n{}\n", wrong.what(), first_line);
        return exit_misused;
    }
}

// Says why the words make no sense.
inline int misused(std::string_view why) {
    fmt::print(stderr, "holdfast: {}\n", why);
    return exit_misused;
}

inline int failed(const error& why) {
    fmt::print(stderr, "holdfast: {}\n", why.message);
    return why.code == errc::invalid_argument ? exit_misused : exit_failed;
}

} // namespace holdfast::cli

// holdfast COMMAND [ARGUMENTS]
#include "cli/commands.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace holdfast;

int run(const std::vector<std::string>& words) {
    if (words.empty()) {
        fmt::print(stderr, "holdfast: what shall be done? `holdfast help` lists the commands\n");
        return cli::exit_misused;
    }
    const auto arguments = std::span{words}.subspan(1);
    const auto& name = words[0];
    if (name == "--help" || name == "-h")
        return cli::run_help({});
    if (name == "version" || name == "--version") {
        fmt::print("holdfast {}\n", HOLDFAST_VERSION);
        return cli::exit_done;
    }
    if (const auto* const wanted = cli::find_command(name))
        return wanted->run(arguments);
    fmt::print(stderr, "holdfast: there is no command '{}'; `holdfast help` lists them\n", name);
    return cli::exit_misused;
}

} // namespace

int main(int count, char** words) {
    try {
        return run({words + 1, words + count});
    } catch (const std::exception& failure) {
        fmt::print(stderr, "holdfast: {}\n", failure.what());
        return cli::exit_failed;
    }
}

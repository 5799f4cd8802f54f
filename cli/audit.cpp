// holdfast audit DIRECTORY
#include "broker/audit.hpp"
#include "actors/repair_derived.hpp"
#include "cli/command_line.hpp"
#include "storage/posix_file_system.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <filesystem>

namespace holdfast::cli {

namespace {

namespace po = boost::program_options;
using broker::audit_part;
using broker::audit_report;

constexpr std::string_view usage =
    "usage: holdfast audit DIRECTORY [--json] [--repair-derived]\n\n"
    "Verifies a node's data directory (storePathRootDir): every checksum of the log, every message in it,\n"
    "and that topics, groups, offsets, queue indexes, transactions, delays and keys are what the log says.\n"
    "Changes nothing, and works beside a running node too. Exit status: 0 all holds, 1 something is wrong,\n"
    "2 there is nothing to audit.\n";

std::string_view name_of(audit_part part) {
    switch (part) {
    case audit_part::log:
        return "log";
    case audit_part::derived_store:
        return "derived store";
    case audit_part::key_index:
        return "key index";
    }
    return "";
}

void print_text(const std::string& directory, const audit_report& report) {
    const std::string verdict = report.clean() ? "everything holds together"
                                : report.problem_count == 1
                                    ? "1 problem"
                                    : fmt::format("{} problems", report.problem_count);
    fmt::print("{}: {}{}\n", directory, verdict, report.running ? " (a node is running on it)" : "");
    fmt::print("  log            positions {} to {} in {} segments: {} entries, {} commands, {} messages\n",
               report.first.value(), report.end.value(), report.segments, report.entries, report.commands,
               report.records);
    if (report.store_compared)
        fmt::print(
            "  derived store  as of position {}: {} topics, {} groups, {} offsets; {} messages in {} queues; "
            "{} undecided, {} delayed, {} settled\n",
            report.applied.value(), report.topics, report.groups, report.offsets, report.index_entries,
            report.queues, report.halves, report.delayed, report.settled);
    if (report.keys_compared)
        fmt::print("  key index      up to position {}: {} keys\n", report.indexed_until.value(),
                   report.keys);
    for (const auto& note : report.notes)
        fmt::print("  note: {}\n", note);
    std::size_t number = 0;
    for (const auto& problem : report.problems) {
        fmt::print("\n{}. {}: {}", ++number, name_of(problem.part), problem.file);
        if (problem.position)
            fmt::print(", position {}", problem.position->value());
        fmt::print("\n   {}\n   do: {}\n", problem.what, problem.advice);
    }
    if (report.problem_count > report.problems.size())
        fmt::print("\nand {} more\n", report.problem_count - report.problems.size());
}

void print_json(const std::string& directory, const audit_report& report) {
    using json = nlohmann::ordered_json;
    json out;
    out["directory"] = directory;
    out["verdict"] = report.clean() ? "clean" : "problems";
    out["running"] = report.running;
    out["log"] = {{"first", report.first.value()}, {"end", report.end.value()},
                  {"segments", report.segments},   {"entries", report.entries},
                  {"commands", report.commands},   {"messages", report.records}};
    out["derivedStore"] = {{"compared", report.store_compared},
                           {"applied", report.applied.value()},
                           {"topics", report.topics},
                           {"groups", report.groups},
                           {"offsets", report.offsets},
                           {"queues", report.queues},
                           {"indexEntries", report.index_entries},
                           {"undecided", report.halves},
                           {"delayed", report.delayed},
                           {"settled", report.settled}};
    out["keyIndex"] = {{"compared", report.keys_compared},
                       {"indexedUntil", report.indexed_until.value()},
                       {"keys", report.keys}};
    out["notes"] = report.notes;
    out["problemCount"] = report.problem_count;
    out["problems"] = json::array();
    for (const auto& problem : report.problems) {
        json one{{"part", name_of(problem.part)}, {"file", problem.file}};
        one["position"] = problem.position ? json(problem.position->value()) : json(nullptr);
        one["what"] = problem.what;
        one["advice"] = problem.advice;
        out["problems"].push_back(std::move(one));
    }
    fmt::print("{}\n", out.dump(2, ' ', false, json::error_handler_t::replace));
}

// Every segment and table stays open while the audit runs.
void raise_file_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &files);
}

// With the lock no node can start in the middle. On a read-only medium there is none, and no node either.
result<audit_report> audit(const std::filesystem::path& directory) {
    storage::posix_file_system files;
    const storage::path root{directory.native()};
    std::error_code unreadable;
    std::unique_ptr<storage::directory_lock> lock;
    bool running = false;
    if (std::filesystem::exists(directory / "hard_state", unreadable)) {
        auto taken = files.lock(root);
        running = !taken.ok() && taken.failure().code == errc::unavailable;
        if (taken.ok())
            lock = std::move(*taken);
    }
    return broker::audit(files, root, running);
}

// Audits, repairs, and audits again; the last report is the one to print.
result<audit_report> audit_and_repair(const std::filesystem::path& directory) {
    auto before = audit(directory);
    if (!before.ok())
        return before;
    if (before->running)
        return error{errc::invalid_argument, directory.string() +
                                                 " is in use by a running node: stop it first. "
                                                 "(Without --repair-derived the audit works beside it.)"};
    if (before->log_is_damaged()) {
        before->notes.emplace_back("nothing was repaired: what is derived can't be built from a damaged log");
        return before;
    }
    if (const auto repaired = actors::repair_derived(directory); !repaired.ok())
        return error{errc::internal, "the repair did not succeed: " + repaired.failure().message};
    auto after = audit(directory);
    if (after.ok())
        after->notes.push_back(
            fmt::format("the derived store and the key index were built again from the log; before, "
                        "{} problems were found in them",
                        before->problem_count));
    return after;
}

} // namespace

int run_audit(std::span<const std::string> arguments) {
    po::options_description shown{"options"};
    auto add = shown.add_options();
    add("json", "print the report as JSON");
    add("repair-derived",
        "build the derived store and the key index again from the log, then audit; the node must "
        "be stopped");
    add("help,h", "this text");
    po::options_description hidden;
    hidden.add_options()("directory", po::value<std::string>());
    po::positional_options_description places;
    places.add("directory", 1);
    po::variables_map words;
    if (const auto done = understand(arguments, usage, shown, hidden, places, words))
        return *done;
    if (words.count("directory") == 0)
        return misused(
            "which directory? `holdfast audit DIRECTORY` takes the one that storePathRootDir names");
    spdlog::set_level(spdlog::level::off); // what a repair does is in the report
    raise_file_limit();
    const auto directory = words["directory"].as<std::string>();
    const auto report = words.count("repair-derived") != 0 ? audit_and_repair(directory) : audit(directory);
    if (!report.ok()) {
        fmt::print(stderr, "holdfast audit: {}\n", report.failure().message);
        return exit_misused;
    }
    if (words.count("json") != 0)
        print_json(directory, *report);
    else
        print_text(directory, *report);
    return report->clean() ? exit_done : exit_failed;
}

} // namespace holdfast::cli

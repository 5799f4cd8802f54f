// What an audit of a data directory found: counts of what was looked at, and what is wrong with it.
#pragma once

#include "base/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::broker {

// Where a problem sits decides what to do about it: what is derived can be built again, the log can't.
enum class audit_part : std::uint8_t { log, derived_store, key_index };

struct audit_problem {
    audit_part part{};
    std::string file; // or the directory of the tables
    std::optional<log_position> position;
    std::string what;
    std::string advice;
};

struct audit_report {
    bool running = false; // a node had the directory meanwhile

    // The log: everything in [first, end) was read.
    log_position first;
    log_position end;
    std::uint64_t segments = 0;
    std::uint64_t entries = 0;
    std::uint64_t commands = 0;
    std::uint64_t records = 0; // messages, in a queue or not

    // The derived store, compared as of `applied`.
    bool store_compared = false;
    log_position applied;
    std::uint64_t topics = 0;
    std::uint64_t groups = 0;
    std::uint64_t offsets = 0; // of groups in queues
    std::uint64_t queues = 0;
    std::uint64_t index_entries = 0;
    std::uint64_t halves = 0;  // undecided
    std::uint64_t delayed = 0; // pending
    std::uint64_t settled = 0; // halves and delayed messages whose end is known

    // The key index, up to `indexed_until`.
    bool keys_compared = false;
    log_position indexed_until;
    std::uint64_t keys = 0;

    std::vector<std::string> notes;      // worth knowing, nothing wrong
    std::vector<audit_problem> problems; // the first of them, at most max_problems
    std::uint64_t problem_count = 0;

    static constexpr std::size_t max_problems = 100;

    [[nodiscard]] bool clean() const { return problem_count == 0; }
    [[nodiscard]] bool log_is_damaged() const { return log_problems_ != 0; }
    void add(audit_problem problem) {
        ++problem_count;
        if (problem.part == audit_part::log)
            ++log_problems_;
        if (problems.size() < max_problems)
            problems.push_back(std::move(problem));
    }

  private:
    std::uint64_t log_problems_ = 0;
};

} // namespace holdfast::broker

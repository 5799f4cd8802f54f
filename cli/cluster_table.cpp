#include "cli/cluster_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>

namespace holdfast::cli {

namespace {

using protocol::cluster_status;
using protocol::follower_status;
using protocol::replica_role;

constexpr std::size_t columns = 11;
using row = std::array<std::string, columns>;

// Two nodes may take themselves for the leader for a moment: the one of the later term is.
const cluster_status* leader_of(const std::vector<node_answer>& answers) {
    const cluster_status* leader = nullptr;
    for (const auto& each : answers)
        if (each.status && each.status->role == replica_role::leader &&
            (leader == nullptr || each.status->term > leader->term))
            leader = &*each.status;
    return leader;
}

const follower_status* seen_by(const cluster_status* leader, std::string_view name) {
    if (leader == nullptr)
        return nullptr;
    const auto found = std::find_if(leader->followers.begin(), leader->followers.end(),
                                    [&](const follower_status& each) { return each.name == name; });
    return found == leader->followers.end() ? nullptr : &*found;
}

std::string heard_text(std::int64_t ms) {
    if (ms < 0)
        return "never";
    return ms < 10'000 ? fmt::format("{} ms ago", ms) : fmt::format("{} s ago", ms / 1'000);
}

std::string lag_text(std::uint64_t bytes) {
    constexpr std::uint64_t mib = 1U << 20U;
    return bytes < 10 * mib ? fmt::format("{}", bytes) : fmt::format("{} MiB", bytes / mib);
}

void add_leaders_view(row& to, const follower_status* seen) {
    to[8] = seen == nullptr ? "?" : lag_text(seen->lag_bytes);
    to[9] = seen == nullptr ? "?" : heard_text(seen->last_heard_ms);
    to[10] = seen == nullptr ? "" : seen->state;
}

row answered_row(const node_answer& answer, const cluster_status* leader) {
    const auto& status = *answer.status;
    const auto& marks = status.watermarks;
    row cells{status.node,
              std::string{to_string(status.role)},
              fmt::format("{}", status.term.value()),
              fmt::format("{}", marks.first.value()),
              fmt::format("{}", marks.appended.value()),
              fmt::format("{}", marks.flushed.value()),
              fmt::format("{}", marks.committed.value()),
              fmt::format("{}", marks.applied.value()),
              "-",
              "-",
              ""};
    if (&status != leader)
        add_leaders_view(cells, seen_by(leader, status.node));
    return cells;
}

row silent_row(const std::string& name, const cluster_status* leader) {
    row cells{name, "?", "?", "?", "?", "?", "?", "?", "?", "?", ""};
    if (const auto* const seen = seen_by(leader, name)) {
        cells[5] = fmt::format("{}", seen->matched.value());
        add_leaders_view(cells, seen);
    }
    return cells;
}

// Members that somebody names and that did not answer, in the order of their names.
std::set<std::string> silent_members(const std::vector<node_answer>& answers) {
    std::set<std::string> names;
    for (const auto& each : answers)
        if (each.status)
            for (const auto& member : each.status->members)
                names.insert(member.name);
    for (const auto& each : answers)
        if (each.status)
            names.erase(each.status->node);
    return names;
}

std::string lines_of(const std::vector<row>& rows) {
    std::array<std::size_t, columns> widths{};
    for (const auto& each : rows)
        for (std::size_t column = 0; column < columns; ++column)
            widths[column] = std::max(widths[column], each[column].size());
    std::string text;
    for (const auto& each : rows) {
        std::string line;
        for (std::size_t column = 0; column < columns; ++column) {
            const bool is_number = column >= 2 && column <= 9;
            line += is_number ? fmt::format("{:>{}}  ", each[column], widths[column])
                              : fmt::format("{:<{}}  ", each[column], widths[column]);
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

// What is wrong with one replica, as its leader sees it.
std::optional<std::string> problem_of(const cluster_status& leader, const std::string& name) {
    const auto* const seen = seen_by(&leader, name);
    if (seen == nullptr)
        return fmt::format("the leader, {}, has nothing to say about {}", leader.node, name);
    if (seen->last_heard_ms < 0)
        return fmt::format("the leader, {}, has never heard of {}", leader.node, name);
    if (seen->last_heard_ms > most_silence_ms)
        return fmt::format("the leader, {}, last heard of {} {}", leader.node, name,
                           heard_text(seen->last_heard_ms));
    if (seen->lag_bytes > most_lag_bytes)
        return fmt::format("{} is {} bytes behind the leader, {}", name, seen->lag_bytes, leader.node);
    return std::nullopt;
}

// Without an answer of the leader's own.
std::string no_leader(const std::vector<node_answer>& answers) {
    for (const auto& each : answers)
        if (each.status && !each.status->leader.empty())
            return fmt::format(
                "{} says that {} is the leader, which was not asked or did not answer: give its "
                "name server too, as --namesrv host:port;host:port",
                each.status->node, each.status->leader);
    return "there is no leader among the nodes that answered: nothing can be sent until a majority elects "
           "one";
}

} // namespace

std::string cluster_table(const std::vector<node_answer>& answers) {
    const auto* const leader = leader_of(answers);
    std::vector<row> rows{{"node", "role", "term", "first", "appended", "flushed", "committed", "applied",
                           "lag", "heard", "state"}};
    std::set<std::string> shown;
    for (const auto& each : answers)
        if (each.status && shown.insert(each.status->node).second)
            rows.push_back(answered_row(each, leader));
    for (const auto& name : silent_members(answers))
        rows.push_back(silent_row(name, leader));
    auto text = rows.size() > 1 ? lines_of(rows) : std::string{};
    for (const auto& each : answers)
        if (!each.status)
            text += fmt::format("{}: unreachable: {}\n", each.asked, each.status.failure().message);
    return text;
}

std::vector<std::string> cluster_problems(const std::vector<node_answer>& answers) {
    std::vector<std::string> problems;
    std::set<std::string> groups;
    for (const auto& each : answers) {
        if (each.status)
            groups.insert(each.status->group);
        else
            problems.push_back(fmt::format("{} does not answer", each.asked));
    }
    if (groups.size() > 1)
        problems.push_back(fmt::format("these nodes are of {} groups ({}, {}, ...): ask about one at a time",
                                       groups.size(), *groups.begin(), *std::next(groups.begin())));
    const auto* const leader = leader_of(answers);
    if (leader == nullptr) {
        problems.push_back(no_leader(answers));
        return problems;
    }
    for (const auto& each : answers)
        if (each.status && each.status->term > leader->term)
            problems.push_back(fmt::format(
                "{} is in term {}, its leader, {}, only in {}: an election goes on", each.status->node,
                each.status->term.value(), leader->node, leader->term.value()));
    std::set<std::string> replicas;
    for (const auto& member : leader->members)
        replicas.insert(member.name);
    for (const auto& follower : leader->followers)
        replicas.insert(follower.name);
    replicas.erase(leader->node);
    for (const auto& name : replicas)
        if (auto problem = problem_of(*leader, name))
            problems.push_back(*std::move(problem));
    return problems;
}

} // namespace holdfast::cli

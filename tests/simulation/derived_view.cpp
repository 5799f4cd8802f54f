#include "tests/simulation/derived_view.hpp"

#include <algorithm>

namespace holdfast::simulation {

std::string derived_view::add(const broker::state_changes& changes) {
    for (const auto& fact : changes.facts)
        if (const auto* const trimmed = std::get_if<broker::log_trimmed>(&fact))
            trim(*trimmed);
    for (const auto& run : changes.runs)
        if (auto problem = add(run); !problem.empty())
            return problem;
    for (const auto& message : changes.delayed)
        if (!delayed_.emplace(message.key, message).second)
            return "view: a delayed message is there twice";
    for (const auto& cancelled : changes.cancelled)
        for (const auto& key : cancelled.keys)
            delayed_.erase(key); // of a log without its beginning it may never have been here
    if (changes.delay)
        delayed_.erase(delayed_.begin(), delayed_.upper_bound(changes.delay->cursor));
    for (const auto& record : changes.settled)
        if (!settled_.emplace(record.position, record).second)
            return "view: the record at position " + std::to_string(record.position.value()) +
                   " is settled twice";
    return {};
}

std::string derived_view::add(const broker::queue_run& run) {
    auto& known = queues_[run.queue];
    if (known.entries.empty() && known.begin < run.first)
        known.begin = run.first;
    if (known.next() != run.first)
        return "view: a queue of topic " + std::to_string(run.queue.topic.value()) + " goes on at offset " +
               std::to_string(run.first.value()) + " behind " + std::to_string(known.next().value());
    known.entries.insert(known.entries.end(), run.entries.begin(), run.entries.end());
    return {};
}

void derived_view::trim(const broker::log_trimmed& trimmed) {
    for (const auto& [key, first] : trimmed.firsts) {
        auto& known = queues_[key];
        known.first = std::max(known.first, first);
    }
    settled_.erase(settled_.begin(), settled_.lower_bound(trimmed.first));
}

std::vector<std::pair<queue_key, queue_offset>> derived_view::firsts(log_position first) const {
    std::vector<std::pair<queue_key, queue_offset>> found;
    for (const auto& [key, shown] : queues_) {
        auto kept = shown.first;
        for (auto offset = kept; offset < shown.next(); offset = offset + 1)
            if (shown.at(offset).position < first)
                kept = offset + 1;
        if (kept > queue_offset{0})
            found.emplace_back(key, kept);
    }
    return found;
}

std::vector<storage::delayed_message> derived_view::due(timestamp_ms until, std::size_t limit) const {
    std::vector<storage::delayed_message> found;
    for (const auto& [key, message] : delayed_) {
        if (key.due > until || found.size() == limit)
            break;
        found.push_back(message);
    }
    return found;
}

} // namespace holdfast::simulation

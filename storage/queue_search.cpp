#include "storage/queue_search.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::storage {
namespace {

constexpr std::size_t part_entries = 256;
constexpr std::size_t most_parts = 256; // some 1.5 MiB

} // namespace

queue_search::side queue_search::side_of(const part& where, log_position position) {
    const auto is_plain = [](const queue_index_entry& one) { return !one.by_reference; };
    const auto first = std::find_if(where.entries.begin(), where.entries.end(), is_plain);
    if (first == where.entries.end())
        return side::unknown;
    if (position < first->position)
        return side::before;
    const auto last = std::find_if(where.entries.rbegin(), where.entries.rend(), is_plain);
    return position > last->position ? side::behind : side::within;
}

std::optional<queue_offset> queue_search::place_in(const part& where, log_position position) {
    const auto found =
        std::find_if(where.entries.begin(), where.entries.end(), [&](const queue_index_entry& one) {
            return !one.by_reference && one.position == position;
        });
    if (found == where.entries.end())
        return {};
    return where.first + (found - where.entries.begin());
}

result<void> queue_search::read_part(queue_key queue, queue_offset from, queue_offset until, part& into) {
    for (into.first = from; into.first < until; into.first = into.end()) {
        ++reads_;
        const auto read =
            queues_.read(queue, into.first, part_entries, queue_index::source::memory_and_disk, into.entries);
        if (!read.ok())
            return read.failure();
        if (into.entries.empty() || side_of(into, log_position{0}) != side::unknown)
            return {};
    }
    into.entries.clear();
    return {};
}

result<std::optional<queue_offset>> queue_search::find(queue_key queue, log_position position) {
    using place = std::optional<queue_offset>;
    if (parts_.size() > most_parts)
        parts_.clear();
    auto& known = parts_[queue];
    const auto kept = queues_.bounds(queue);
    auto low = kept.first;
    auto high = kept.last;
    auto where = side_of(known, position);
    bool takes_next = where == side::behind; // the part behind the one that is known is the likeliest
    while (where != side::within) {
        if (where == side::before)
            high = std::min(high, known.first);
        if (where == side::behind)
            low = std::max(low, known.end());
        if (low >= high)
            return place{};
        const auto middle = std::exchange(takes_next, false) ? low : low + (high - low) / 2;
        if (const auto read = read_part(queue, middle, high, known); !read.ok()) {
            known.entries.clear();
            return read.failure();
        }
        where = side_of(known, position);
        if (where != side::unknown)
            continue;
        // Nothing but references up to `high`, or retention was faster.
        const auto first = queues_.bounds(queue).first;
        if (middle < first)
            low = first;
        else
            high = middle;
    }
    const auto found = place_in(known, position);
    return found && *found >= queues_.bounds(queue).first ? found : place{};
}

} // namespace holdfast::storage

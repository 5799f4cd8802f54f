#include "actors/pull_reader.hpp"

#include "actors/limits.hpp"
#include "actors/read_replicas.hpp"
#include "broker/served_record.hpp"
#include "protocol/stored_message.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace holdfast::actors {

using protocol::response_code;

namespace {

error disagreement(log_position position) {
    return {errc::corrupted, "the index and the log disagree about the record at position " +
                                 std::to_string(position.value()) +
                                 ": stop the node and delete its derived store, it will be rebuilt"};
}

} // namespace

pull_outcome pull_reader::read(const pull_range& range, const protocol::tag_filter& filter,
                               const protocol::answer_to& to, byte_buffer& out) {
    const auto start = out.size();
    const auto selected = select(range, filter);
    if (!selected.ok()) {
        spdlog::error("a pull can't be served: {}", selected.failure().message);
        return refuse(to, selected.failure(), out);
    }
    const auto& bounds = selected->bounds;
    if (range.from < bounds.first)
        return say(to, response_code::pull_offset_moved, "OFFSET_TOO_SMALL",
                   {0, bounds.first, bounds.first, bounds.last}, out);
    if (range.from > bounds.last)
        return role_ == pull_role::follower ? pull_outcome::nothing_new : pull_outcome::beyond_end;
    if (range.from == bounds.last)
        return pull_outcome::nothing_new;
    if (selected->elsewhere)
        return pull_outcome::elsewhere;
    const protocol::pull_message_response answer{suggestion(range, *selected), selected->next, bounds.first,
                                                 bounds.last};
    if (matches_.empty()) {
        protocol::append_pull_answer(out, to, response_code::pull_retry_immediately, "NO_MATCHED_MESSAGE",
                                     answer, 0);
        return pull_outcome::answered;
    }
    record_bytes_ = selected->bytes / matches_.size();
    protocol::append_pull_answer(out, to, response_code::success, "FOUND", answer, selected->bytes);
    const auto copied = copy(out);
    if (copied.ok() && *copied) {
        environment_.counters->messages_got.fetch_add(matches_.size(), std::memory_order_relaxed);
        return pull_outcome::answered;
    }
    out.truncate(start);
    if (copied.ok())
        return pull_outcome::elsewhere;
    // Never skipped silently: the consumer stops here until the record is repaired or an operator moves its
    // offset.
    spdlog::error("a message can't be served: {}", copied.failure().message);
    if (copied.failure().code == errc::not_found)
        return say(to, response_code::pull_retry_immediately, "MESSAGE_WAS_REMOVING",
                   {0, range.from, bounds.first, bounds.last}, out);
    return refuse(to, copied.failure(), out);
}

pull_outcome pull_reader::say(const protocol::answer_to& to, response_code code, std::string_view remark,
                              const protocol::pull_message_response& answer, byte_buffer& out) const {
    if (role_ == pull_role::follower)
        return pull_outcome::nothing_new;
    protocol::append_pull_answer(out, to, code, remark, answer, 0);
    return pull_outcome::answered;
}

pull_outcome pull_reader::refuse(const protocol::answer_to& to, const error& why, byte_buffer& out) const {
    if (role_ == pull_role::follower)
        return pull_outcome::nothing_new;
    protocol::append_failure(out, to, response_code::system_error, why.message);
    return pull_outcome::answered;
}

std::int64_t pull_reader::suggestion(const pull_range& range, const selection& selected) const {
    const bool has_caught_up = selected.next >= selected.bounds.last;
    return range.may_stay && !has_caught_up
               ? suggested_broker(environment_, range.queue.queue, selected.last_examined)
               : 0;
}

result<pull_reader::selection> pull_reader::select(const pull_range& range,
                                                   const protocol::tag_filter& filter) {
    selection selected;
    selected.next = range.from;
    matches_.clear();
    std::size_t examined = 0;
    while (examined < limits::max_examined_per_pull && matches_.size() < range.max_messages) {
        const auto wanted = filter.selects_all() ? likely_entries(range, selected) : limits::index_read_chunk;
        const auto read =
            environment_.view->queues().read(range.queue, selected.next, wanted, where_, entries_);
        if (!read.ok())
            return read.failure();
        selected.bounds = read->bounds;
        // What was found so far is an answer; only an empty hand must be filled elsewhere.
        selected.elsewhere = read->elsewhere && examined == 0;
        if (entries_.empty())
            break;
        for (const auto& entry : entries_) {
            const bool full = !matches_.empty() && (matches_.size() == range.max_messages ||
                                                    selected.bytes + entry.size > range.max_bytes);
            if (full)
                return selected;
            if (filter.matches(entry.tags_hash)) {
                matches_.push_back({selected.next, entry});
                selected.bytes += entry.size;
            }
            ++selected.next;
            // References lie further back than their place in the queue.
            selected.last_examined = std::max(selected.last_examined, entry.position);
            ++examined;
        }
    }
    return selected;
}

// So many of the index are read as the answer has room for, should the records be as large as those before:
// most of what a client asks for would otherwise be fetched from the derived store for nothing.
std::size_t pull_reader::likely_entries(const pull_range& range, const selection& so_far) const {
    const auto most = std::min(range.max_messages, limits::index_read_chunk);
    const auto record_bytes = matches_.empty() ? record_bytes_ : so_far.bytes / matches_.size();
    if (record_bytes == 0)
        return most;
    const auto room = range.max_bytes - std::min(range.max_bytes, so_far.bytes);
    return std::min(most, room / record_bytes + 1);
}

result<bool> pull_reader::copy(byte_buffer& out) {
    auto* to = out.extend([&] {
        std::size_t bytes = 0;
        for (const auto& found : matches_)
            bytes += found.where.size;
        return bytes;
    }());
    for (const auto& found : matches_) {
        bool elsewhere = false;
        if (auto loaded = load(found.where.position, elsewhere); !loaded.ok())
            return loaded.failure();
        if (elsewhere)
            return false;
        auto written =
            found.where.by_reference != 0 ? write_reference(found, elsewhere, to) : write_message(found, to);
        if (!written.ok())
            return written.failure();
        if (elsewhere)
            return false;
        to += found.where.size;
    }
    return true;
}

// Makes the entry around `position` the current one.
result<void> pull_reader::load(log_position position, bool& elsewhere) {
    if (position >= current_.position && position - current_.position < current_.entry.size())
        return {};
    if (auto cached = environment_.cache->find_containing(position)) {
        current_ = std::move(*cached);
    } else if (where_ == storage::queue_index::source::memory_only) {
        elsewhere = true;
    } else {
        auto read = environment_.reader->entry_containing(position);
        if (!read.ok())
            return unreadable(environment_, read.failure(), position);
        current_ = std::move(*read);
    }
    return {};
}

result<void> pull_reader::write_message(const match& found, std::byte* to) const {
    const auto offset = found.where.position - current_.position;
    const auto* const record = current_.entry.data() + offset;
    if (offset + found.where.size > current_.entry.size() ||
        load_big<std::uint32_t>(record + protocol::stored_message_at::total_size) != found.where.size)
        return disagreement(found.where.position);
    std::memcpy(to, record, found.where.size);
    protocol::patch_queue_offset(to, found.offset);
    return {};
}

result<void> pull_reader::write_reference(const match& found, bool& elsewhere, std::byte* to) {
    const auto position = found.where.position;
    const auto settled = brought_by(position);
    if (!settled.ok())
        return settled.failure();
    elsewhere = !*settled && where_ == storage::queue_index::source::memory_only;
    if (elsewhere)
        return {};
    if (!*settled && position < environment_.view->marks().first)
        return error{errc::not_found,
                     "retention has removed the record at position " + std::to_string(position.value())};
    if (!*settled)
        return disagreement(position);
    const auto served =
        broker::served_record::of(current_.entry.view(), position - current_.position, *settled);
    if (!served.ok() || served->size() != found.where.size)
        return disagreement(position);
    served->write(found.offset, to);
    return {};
}

// What brought a record into its queue; nothing when only the disk says it and this is not to read that.
result<std::optional<storage::settled_record>> pull_reader::brought_by(log_position position) {
    const auto& deliveries = environment_.view->deliveries();
    return where_ == storage::queue_index::source::memory_only ? deliveries.find_recent(position)
                                                               : deliveries.find(position, near_);
}

void pull_reader::answer_nothing_new(const pull_range& range, const protocol::answer_to& to,
                                     byte_buffer& out) const {
    const auto bounds = environment_.view->queues().bounds(range.queue);
    protocol::append_pull_answer(out, to, response_code::pull_not_found, "OFFSET_OVERFLOW_ONE",
                                 {0, range.from, bounds.first, bounds.last}, 0);
}

void pull_reader::send_to_leader(const pull_range& range, const protocol::answer_to& to,
                                 byte_buffer& out) const {
    const auto bounds = environment_.view->queues().bounds(range.queue);
    const auto code =
        range.from >= bounds.last ? response_code::pull_not_found : response_code::pull_retry_immediately;
    protocol::append_pull_answer(out, to, code, "ASK_THE_MASTER", {0, range.from, bounds.first, bounds.last},
                                 0);
}

} // namespace holdfast::actors

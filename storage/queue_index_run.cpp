#include "storage/queue_index_run.hpp"

#include "base/bytes.hpp"
#include "storage/derived_store.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::storage {

namespace {

constexpr std::uint8_t run_tag = 'q';
constexpr std::size_t run_key_bytes = 17;

// The stored entry is the entry in memory: runs are copied, not converted.
static_assert(sizeof(queue_index_entry) == queue_index_entry_bytes);
static_assert(std::is_trivially_copyable_v<queue_index_entry>);
static_assert(offsetof(queue_index_entry, position) == 0 && offsetof(queue_index_entry, tags_hash) == 12);
static_assert(std::endian::native == std::endian::little);

error broken_run(std::size_t bytes) {
    return {errc::corrupted, "a run of the queue index has " + std::to_string(bytes) +
                                 " bytes, which is no whole number of entries: delete the derived store's "
                                 "directory and start again, and it will be rebuilt"};
}

// Appends what the run's value holds of [offset, offset + room) and says whether `offset` was in it.
bool append_entries(std::string_view value, std::size_t skip, std::size_t room,
                    std::vector<queue_index_entry>& to) {
    const auto stored = value.size() / queue_index_entry_bytes;
    if (skip >= stored)
        return false;
    const auto taken = std::min(stored - skip, room);
    const auto before = to.size();
    to.resize(before + taken);
    std::memcpy(to.data() + before, value.data() + skip * queue_index_entry_bytes,
                taken * queue_index_entry_bytes);
    return true;
}

} // namespace

std::string queue_run_prefix(topic_id topic) {
    std::string prefix;
    append_big(prefix, run_tag);
    append_big(prefix, topic.value());
    return prefix;
}

std::string queue_run_prefix(queue_key queue) {
    auto prefix = queue_run_prefix(queue.topic);
    append_big(prefix, queue.queue.value());
    return prefix;
}

std::string queue_run_key(queue_key queue, queue_offset first) {
    HOLDFAST_CHECK(first.value() >= 0);
    std::string key;
    key.reserve(run_key_bytes);
    append_big(key, run_tag);
    append_big(key, queue.topic.value());
    append_big(key, queue.queue.value());
    append_big(key, static_cast<std::uint64_t>(first.value()));
    return key;
}

std::optional<parsed_run_key> parse_queue_run_key(std::string_view key) {
    if (key.size() != run_key_bytes || static_cast<std::uint8_t>(key.front()) != run_tag)
        return std::nullopt;
    const auto* bytes = as_bytes(key).data();
    const auto first = load_big<std::int64_t>(bytes + 9);
    if (first < 0)
        return std::nullopt;
    return parsed_run_key{
        {topic_id{load_big<std::uint32_t>(bytes + 1)}, queue_number{load_big<std::uint32_t>(bytes + 5)}},
        queue_offset{first}};
}

void put_queue_runs(derived_batch& batch, queue_key queue, queue_offset first,
                    std::span<const queue_index_entry> entries) {
    while (!entries.empty()) {
        const auto run = entries.first(std::min(entries.size(), queue_run_entries_max));
        batch.put(queue_run_key(queue, first), as_text(std::as_bytes(run)));
        first += static_cast<std::int64_t>(run.size());
        entries = entries.subspan(run.size());
    }
}

std::string encode_queue_run(std::span<const queue_index_entry> entries) {
    return std::string{as_text(std::as_bytes(entries))};
}

result<std::vector<queue_index_entry>> decode_queue_run(std::string_view value) {
    if (value.size() % queue_index_entry_bytes != 0)
        return broken_run(value.size());
    std::vector<queue_index_entry> entries;
    append_entries(value, 0, value.size(), entries);
    return entries;
}

result<std::optional<queue_index_run>> find_run(const derived_store& store, queue_key queue,
                                                queue_offset offset) {
    using found = std::optional<queue_index_run>;
    if (offset.value() < 0)
        return found{};
    auto candidate = store.seek_at_or_before(queue_run_key(queue, offset), queue_run_prefix(queue));
    if (!candidate)
        return candidate.failure();
    if (!candidate->has_value())
        return found{};
    const auto& [key, value] = **candidate;
    const auto parsed = parse_queue_run_key(key);
    auto entries = decode_queue_run(value);
    if (!entries)
        return entries.failure();
    if (!parsed)
        return broken_run(value.size());
    queue_index_run run{parsed->first, std::move(*entries)};
    return offset < run.last() ? found{std::move(run)} : found{};
}

result<std::vector<queue_index_entry>> read_queue_index(const derived_store& store, queue_key queue,
                                                        queue_offset offset, std::size_t limit) {
    std::vector<queue_index_entry> entries;
    if (offset.value() < 0 || limit == 0)
        return entries;
    auto begin = store.seek_at_or_before(queue_run_key(queue, offset), queue_run_prefix(queue));
    if (!begin)
        return begin.failure();
    if (!begin->has_value())
        return entries;
    const auto first = parse_queue_run_key((*begin)->first);
    if (!first || (*begin)->second.size() % queue_index_entry_bytes != 0)
        return broken_run((*begin)->second.size());
    const auto skip = static_cast<std::size_t>(offset - first->first);
    if (!append_entries((*begin)->second, skip, limit, entries) || entries.size() == limit)
        return entries;

    std::optional<error> broken;
    auto scanned =
        store.scan(queue_run_key(queue, offset + 1), behind_prefix(queue_run_prefix(queue)),
                   [&](std::string_view key, std::string_view value) {
                       const auto run = parse_queue_run_key(key);
                       if (!run || value.size() % queue_index_entry_bytes != 0)
                           broken = broken_run(value.size());
                       if (broken || run->first != offset + static_cast<std::int64_t>(entries.size()))
                           return false;
                       append_entries(value, 0, limit - entries.size(), entries);
                       return entries.size() < limit;
                   });
    if (!scanned)
        return scanned.failure();
    if (broken)
        return *broken;
    return entries;
}

} // namespace holdfast::storage

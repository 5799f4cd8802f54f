#include "storage/delivery_index.hpp"

#include "base/bytes.hpp"

#include <algorithm>
#include <string>

namespace holdfast::storage {
namespace {

constexpr std::uint8_t settled_tag = 'd';
constexpr unsigned block_bits = 20;
constexpr std::size_t settled_bytes = 22;

std::uint64_t block_of(log_position position) {
    return position.value() >> block_bits;
}

std::string block_prefix(std::uint64_t block) {
    std::string key;
    append_big(key, settled_tag);
    append_big(key, block);
    return key;
}

void append(std::string& value, const settled_record& record) {
    std::byte raw[settled_bytes];
    const auto place = record.position.value() & ((1U << block_bits) - 1);
    store_little(raw, static_cast<std::uint32_t>(place));
    store_little(raw + 4, static_cast<std::uint8_t>(record.fate));
    store_little(raw + 5, record.checks);
    store_little(raw + 6, record.offset.value());
    store_little(raw + 14, record.when.value());
    value.append(as_text(raw));
}

settled_record decode(const std::byte* from, std::uint64_t block) {
    const auto place = load_little<std::uint32_t>(from);
    return {log_position{(block << block_bits) | place},
            static_cast<record_fate>(load_little<std::uint8_t>(from + 4)),
            queue_offset{load_little<std::int64_t>(from + 6)},
            timestamp_ms{load_little<std::int64_t>(from + 14)}, load_little<std::uint8_t>(from + 5)};
}

std::optional<settled_record> find_in(std::string_view value, log_position record) {
    const auto place = static_cast<std::uint32_t>(record.value() & ((1U << block_bits) - 1));
    for (std::size_t at = 0; at + settled_bytes <= value.size(); at += settled_bytes) {
        const auto* const from = as_bytes(value).data() + at;
        if (load_little<std::uint32_t>(from) == place)
            return decode(from, block_of(record));
    }
    return std::nullopt;
}

bool by_position(const settled_record& one, const settled_record& other) {
    return one.position < other.position;
}

// `settled` is sorted.
std::optional<settled_record> find_in(const std::vector<settled_record>& settled, log_position record) {
    const auto found =
        std::lower_bound(settled.begin(), settled.end(), settled_record{record, {}, {}, {}, 0}, by_position);
    return found != settled.end() && found->position == record ? std::optional{*found} : std::nullopt;
}

} // namespace

void put_settled(derived_batch& batch, std::vector<settled_record> settled, log_position last_entry) {
    std::sort(settled.begin(), settled.end(), by_position);
    for (auto first = settled.begin(); first != settled.end();) {
        const auto block = block_of(first->position);
        auto key = block_prefix(block);
        append_big(key, last_entry.value());
        std::string value;
        for (; first != settled.end() && block_of(first->position) == block; ++first)
            append(value, *first);
        batch.put(key, value);
    }
}

void forget_settled_below(derived_batch& batch, log_position first) {
    batch.remove_range(block_prefix(0), block_prefix(block_of(first)));
}

result<void> for_each_settled(const derived_store& store, log_position first, log_position last,
                              const std::function<void(const settled_record&)>& visit) {
    if (first >= last)
        return {};
    return store.scan(block_prefix(block_of(first)), behind_prefix(block_prefix(block_of(last - 1))),
                      [&](std::string_view key, std::string_view value) {
                          const auto block = load_big<std::uint64_t>(as_bytes(key).data() + 1);
                          for (std::size_t at = 0; at + settled_bytes <= value.size(); at += settled_bytes) {
                              const auto record = decode(as_bytes(value).data() + at, block);
                              if (record.position >= first && record.position < last)
                                  visit(record);
                          }
                          return true;
                      });
}

void delivery_index::add(std::span<const settled_record> settled) {
    if (settled.empty())
        return;
    const std::lock_guard lock{mutex_};
    for (const auto& record : settled)
        recent_.emplace(record.position, record);
}

void delivery_index::evict(std::span<const settled_record> settled) {
    const std::lock_guard lock{mutex_};
    for (const auto& record : settled)
        recent_.erase(record.position);
}

std::optional<settled_record> delivery_index::find_recent(log_position record) const {
    const std::lock_guard lock{mutex_};
    const auto found = recent_.find(record);
    return found == recent_.end() ? std::nullopt : std::optional{found->second};
}

result<std::optional<settled_record>> delivery_index::find(log_position record) const {
    if (auto recent = find_recent(record))
        return recent;
    const auto prefix = block_prefix(block_of(record));
    std::optional<settled_record> found;
    auto scanned = store_.scan(prefix, behind_prefix(prefix), [&](std::string_view, std::string_view value) {
        found = find_in(value, record);
        return !found;
    });
    if (!scanned.ok())
        return scanned.failure();
    return found;
}

result<std::optional<settled_record>> delivery_index::find(log_position record, settled_block& near) const {
    if (auto recent = find_recent(record))
        return recent;
    const auto block = block_of(record);
    if (near.block_ == block)
        if (auto known = find_in(near.records_, record))
            return known;
    // Another block, or it was settled since this one was read.
    near.block_ = block;
    near.records_.clear();
    auto scanned =
        for_each_settled(store_, log_position{block << block_bits}, log_position{(block + 1) << block_bits},
                         [&](const auto& one) { near.records_.push_back(one); });
    if (!scanned.ok())
        return scanned.failure();
    std::sort(near.records_.begin(), near.records_.end(), by_position);
    return find_in(near.records_, record);
}

} // namespace holdfast::storage

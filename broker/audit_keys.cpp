#include "broker/audit_keys.hpp"

#include "broker/command.hpp"
#include "broker/record_keys.hpp"

#include <algorithm>
#include <tuple>

namespace holdfast::broker {
namespace {

using storage::key_entry;

constexpr std::size_t named_most = 20;
constexpr std::size_t piece_keys = 1U << 20U;
constexpr std::uint64_t generation_bytes = std::uint64_t{1} << storage::key_index::generation_bits;

std::uint64_t generation_of(log_position position) {
    return position.value() / generation_bytes;
}

bool before(const key_entry& left, const key_entry& right) {
    return std::tuple{left.position, left.hash} < std::tuple{right.position, right.hash};
}

// A word that a record carries twice is in the index once.
void sort_and_merge(std::vector<key_entry>& keys) {
    std::sort(keys.begin(), keys.end(), before);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

// splitmix64's finisher over each number in turn.
std::uint64_t mixed(std::uint64_t seed, std::uint64_t value) {
    auto mix = seed + value + 0x9E3779B97F4A7C15ULL;
    mix = (mix ^ (mix >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    mix = (mix ^ (mix >> 27U)) * 0x94D049BB133111EBULL;
    return mix ^ (mix >> 31U);
}

} // namespace

void key_audit::sum::add(const key_entry& entry) {
    ++count;
    hashes += mixed(mixed(mixed(0, entry.hash), entry.position.value()),
                    static_cast<std::uint64_t>(entry.stored_at.value()));
}

void key_audit::complain(std::string what, std::optional<log_position> position) {
    report_.add({audit_part::key_index, directory_, position, std::move(what),
                 "stop the node and run `holdfast audit --repair-derived`: it is built again from the log"});
}

void key_audit::add(const storage::scanned_entry& entry) {
    if (entry.header.is_filler() || entry.header.position >= index_.indexed_until())
        return;
    keys_.clear();
    if (!append_keys(entry.bytes, entry.header.position, keys_).ok())
        return; // check_entry has told
    sort_and_merge(keys_);
    for (const auto& key : keys_) {
        auto& into = generations_[generation_of(key.position)];
        if (into.expected.count == 0)
            into.first = entry.header.position;
        into.last = entry.header.end();
        into.expected.add(key);
    }
}

void key_audit::finish(const storage::segment_set& segments, log_position first, log_position end) {
    report_.indexed_until = index_.indexed_until();
    if (index_.indexed_until() > end)
        return complain("it is ahead of the log: it has the keys up to position " +
                            std::to_string(index_.indexed_until().value()) + ", the log ends at " +
                            std::to_string(end.value()),
                        end);
    const auto scanned = index_.scan(first, index_.indexed_until(), [&](const key_entry& entry) {
        generations_[generation_of(entry.position)].found.add(entry);
    });
    if (!scanned.ok())
        return complain(scanned.failure().message);
    report_.keys_compared = true;
    for (const auto& [number, one] : generations_) {
        report_.keys += one.expected.count;
        if (one.expected.count == 0)
            complain(std::to_string(one.found.count) +
                         " of its entries name places where the log has no record",
                     log_position{number * generation_bytes});
        else if (one.expected != one.found)
            name_differences(segments, one.first, one.last);
    }
}

void key_audit::name_differences(const storage::segment_set& segments, log_position first,
                                 log_position last) {
    std::vector<key_entry> expected;
    auto piece_first = first;
    storage::log_scanner scanner{segments, first, last};
    while (true) {
        const auto next = scanner.next();
        if (!next.ok())
            return complain("its missing keys could not be named: " + next.failure().message);
        const bool done = !next->has_value();
        if (done || expected.size() >= piece_keys) {
            const auto piece_last = done ? last : (*next)->header.position;
            compare_piece(segments, std::exchange(expected, {}), piece_first, piece_last);
            piece_first = piece_last;
        }
        if (done)
            return;
        if (!(*next)->header.is_filler())
            (void)append_keys((*next)->bytes, (*next)->header.position, expected);
    }
}

void key_audit::compare_piece(const storage::segment_set& segments, std::vector<key_entry> expected,
                              log_position first, log_position last) {
    sort_and_merge(expected);
    std::vector<bool> found(expected.size());
    std::uint64_t extra = 0;
    log_position first_extra;
    const auto scanned = index_.scan(first, last, [&](const key_entry& entry) {
        const auto at = std::lower_bound(expected.begin(), expected.end(), entry, before);
        if (at != expected.end() && *at == entry)
            found[static_cast<std::size_t>(at - expected.begin())] = true;
        else if (extra++ == 0)
            first_extra = entry.position;
    });
    if (!scanned.ok())
        return complain(scanned.failure().message);
    if (extra > 0)
        complain(std::to_string(extra) +
                     " of its entries name a key that no record in the log has at that place",
                 first_extra);
    std::vector<key_entry> missing;
    for (std::size_t i = 0; i < expected.size(); ++i)
        if (!found[i])
            missing.push_back(expected[i]);
    if (!missing.empty())
        name_missing(segments, first, last, missing);
}

void key_audit::name_missing(const storage::segment_set& segments, log_position first, log_position last,
                             const std::vector<key_entry>& missing) {
    std::size_t named = 0;
    const auto visit = [&](const storage::scanned_entry& entry) -> result<void> {
        command_cursor cursor{entry.bytes, storage::entry_header_size};
        while (!cursor.done() && named < named_most) {
            const auto command = cursor.next();
            if (!command.ok())
                return command.failure();
            if (!has_record(command->header.kind))
                continue;
            const auto record = protocol::decode_stored_message(command->payload);
            if (!record.ok())
                continue; // check_entry has told
            const auto position = entry.header.position + command->payload_offset;
            for_each_key(*record, [&](std::string_view key) {
                const key_entry wanted{storage::hash_key(record->topic, key), position, record->stored};
                if (!std::binary_search(missing.begin(), missing.end(), wanted, before))
                    return;
                ++named;
                complain("the message of topic " + std::string{record->topic} +
                             " there can't be found by its key " + std::string{key},
                         position);
            });
        }
        return {};
    };
    const auto scanned = storage::for_each_entry(segments, first, last, visit);
    if (scanned.ok() && missing.size() > named)
        complain("and " + std::to_string(missing.size() - named) + " more keys are missing");
}

} // namespace holdfast::broker

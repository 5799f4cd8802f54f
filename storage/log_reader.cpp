#include "storage/log_reader.hpp"

#include <algorithm>

namespace holdfast::storage {

namespace {

// An entry of at least this part of the read-ahead is read by itself, to where it stays; smaller ones many at
// once, and each is copied to bytes of its own.
constexpr std::uint64_t alone_divisor = 8;

error damaged(const segment& where, log_position position, const std::string& reason) {
    return {errc::corrupted, where.name().string() + ": at log position " + std::to_string(position.value()) +
                                 " (byte " + std::to_string(position - where.first()) +
                                 " of the file): " + reason};
}

error no_record(log_position position) {
    return {errc::not_found, "no record begins at log position " + std::to_string(position.value())};
}

} // namespace

log_reader::log_reader(const segment_set& segments, entry_cache& cache, log_reader_options options)
    : segments_(segments), cache_(cache), options_(options), streams_(options.prefetch_bytes) {}

result<std::shared_ptr<segment>> log_reader::find_segment(log_position position) const {
    auto found = segments_.find(position);
    if (found && position < segments_.written())
        return found;
    const auto at = "log position " + std::to_string(position.value());
    if (position >= segments_.written())
        return error{errc::not_found, at + " is not written yet; the log ends at " +
                                          std::to_string(segments_.written().value())};
    return error{errc::not_found, at + " was removed by retention; the log begins at " +
                                      std::to_string(segments_.first().value())};
}

result<shared_bytes> log_reader::read_entry(log_position position) {
    if (auto hot = cache_.find(position))
        return *std::move(hot);
    return read_cold(position, options_.read_ahead_bytes);
}

result<shared_bytes> log_reader::read_cold(log_position position, std::uint64_t read_ahead) {
    for (;;) {
        const auto cuts = segments_.cuts();
        auto entry = read_file(position, read_ahead);
        if (segments_.cuts() == cuts)
            return entry;
    }
}

result<shared_bytes> log_reader::read_file(log_position position, std::uint64_t read_ahead) {
    const auto erasures = cache_.erasures(); // before written() is looked at
    auto found = find_segment(position);
    if (!found)
        return found.failure();
    const segment& where = **found;
    // Only what is written: bytes behind may be under the writer's hands.
    const auto written = segments_.written();
    if (position >= written) // cut just now; the caller finds out
        return error{errc::not_found, "log position " + std::to_string(position.value()) + " was cut off"};
    const log_position end = std::min(where.last(), written);
    const auto readable = end - position;
    std::byte start[entry_header_size];
    auto count = where.read(position, std::span{start}.first(std::min(readable, sizeof start)));
    if (!count)
        return count.failure();
    const auto announced = decode_entry_header(byte_view{start}.first(*count));
    if (!announced)
        return damaged(where, position, announced.failure().message);
    if (announced->position != position)
        return damaged(where, position, "an entry of another position stands there");
    const bool alone = announced->length >= read_ahead / alone_divisor;
    const auto size = std::min(readable, alone ? announced->length
                                               : std::max<std::uint64_t>(read_ahead, entry_header_size));
    const cold_reads::turn turn{cold_reads_, position, position + size};
    if (turn.has_waited())
        if (auto hot = cache_.find(position))
            return *std::move(hot);
    const std::shared_ptr<std::byte[]> window{new std::byte[size]};
    count = where.read(position, {window.get(), size});
    if (!count)
        return count.failure();
    const byte_view bytes{window.get(), *count};
    const auto header = decode_entry(bytes);
    if (!header)
        return damaged(where, position, header.failure().message);
    if (header->position != position) // cut just now; the caller finds out
        return damaged(where, position, "an entry of another position stands there");
    // Now it is known how far this read went: the next one begins there.
    prefetch_behind(where, position, alone ? std::min(header->next(), end) : position + bytes.size(), end);
    auto entry =
        alone ? shared_bytes{std::shared_ptr<const void>{window, window.get()}, bytes.first(header->length)}
              : shared_bytes::copy_of(bytes.first(header->length));
    cache_.insert_read(position, entry, erasures);
    if (!alone)
        keep_following(*header, bytes, erasures);
    return entry;
}

void log_reader::prefetch_behind(const segment& where, log_position first, log_position until,
                                 log_position end) {
    read_streams::range wanted;
    {
        const std::lock_guard lock{mutex_};
        wanted = streams_.reads(first, until, end);
    }
    where.will_need(wanted.first, wanted.until);
}

// The whole entries behind `previous` in the window. The chain of checksums keeps out what does not belong.
void log_reader::keep_following(const entry_header& previous, byte_view window, std::uint64_t erasures) {
    auto last = previous;
    for (auto offset = last.next() - previous.position; !last.is_filler() && offset < window.size();
         offset = last.next() - previous.position) {
        const auto header = decode_entry(window.subspan(offset));
        if (!header || header->position != last.next() || header->previous_checksum != last.checksum)
            return;
        cache_.insert_read(header->position, shared_bytes::copy_of(window.subspan(offset, header->length)),
                           erasures);
        last = *header;
    }
}

result<cached_entry> log_reader::entry_containing(log_position record) {
    if (auto hot = cache_.find_containing(record))
        return *std::move(hot);
    for (;;) {
        const auto cuts = segments_.cuts();
        auto entry = search_containing(record);
        if (segments_.cuts() == cuts)
            return entry;
    }
}

result<cached_entry> log_reader::search_containing(log_position record) {
    auto found = find_segment(record);
    if (!found)
        return found.failure();
    const segment& where = **found;
    if (record - where.first() < entry_header_size + command_header_size)
        return no_record(record);
    std::byte pointer[sizeof(std::uint32_t)];
    auto count = where.read(record - (command_header_size - command_back_pointer_offset), pointer);
    if (!count)
        return count.failure();
    const auto distance = load_little<std::uint32_t>(pointer);
    if (distance > record - where.first() || (record - distance).value() % entry_alignment != 0)
        return no_record(record);
    const auto position = record - distance;
    auto entry = read_entry(position);
    if (!entry)
        return entry.failure();
    if (distance < entry_header_size + command_header_size || distance >= entry->size())
        return damaged(where, record,
                       "the record's entry at " + std::to_string(position.value()) +
                           " does not reach around it");
    return cached_entry{position, *std::move(entry)};
}

result<std::vector<segment_info>> log_reader::segments() {
    std::vector<segment_info> all;
    for (const auto& one : segments_.list()) {
        if (one->first() >= segments_.written() && !all.empty())
            break;
        std::optional<timestamp_ms> newest;
        if (one->last() < segments_.written()) {
            auto following = read_cold(one->last(), block_size);
            if (!following && following.failure().code == errc::not_found) {
                all.push_back({one->first(), one->last(), newest}); // cut just now
                break;
            }
            if (!following)
                return following.failure();
            const auto header = decode_entry_header(following->view());
            HOLDFAST_CHECK(header.ok());
            newest = header->timestamp;
        }
        all.push_back({one->first(), one->last(), newest});
    }
    return all;
}

} // namespace holdfast::storage

#include "storage/read_entries.hpp"

namespace holdfast::storage {

result<entry_stretch> read_entries(log_reader& reader, const segment_set& segments, log_position first,
                                   log_position end, std::uint64_t most_bytes) {
    entry_stretch stretch{{}, first};
    std::uint64_t bytes = 0;
    while (stretch.last < end) {
        auto entry = reader.read_entry(stretch.last);
        if (!entry.ok() && stretch.entries.empty())
            return entry.failure();
        if (!entry.ok() || (!stretch.entries.empty() && bytes + entry->size() > most_bytes))
            break;
        const auto header = decode_entry_header(entry->view());
        HOLDFAST_CHECK(header.ok());
        const auto around = header->is_filler() ? segments.find(stretch.last) : nullptr;
        if (header->is_filler() && around == nullptr)
            break; // retention came in between
        bytes += entry->size();
        stretch.entries.push_back(std::move(*entry));
        stretch.last = header->is_filler() ? around->last() : header->next();
    }
    return stretch;
}

} // namespace holdfast::storage

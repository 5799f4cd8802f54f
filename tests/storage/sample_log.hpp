// Makes entries as a leader would: chained, placed by the geometry, with fillers. What the tests append and
// then expect to find.
#pragma once

#include "storage/entry.hpp"
#include "storage/recovery.hpp"

#include <random>
#include <vector>

namespace holdfast::storage::testing {

class sample_log {
  public:
    // Goes on where a recovered log ends; entries that were lost are forgotten.
    void continue_at(const recovered_log& log) {
        std::erase_if(entries_, [&](const sealed& one) { return one.header.position >= log.end; });
        next_ = log.end;
        geometry_ = log.geometry;
        previous_checksum_ = log.last_checksum;
        term_ = log.last_term + 1;
    }

    // One entry of `body_size` bytes, and the filler before it when one is needed.
    std::vector<shared_bytes> make(std::size_t body_size, log_position flushed, std::uint64_t seed) {
        std::vector<shared_bytes> made;
        const auto place = place_entry(geometry_, next_, entry_header_size + body_size);
        if (place.filler) {
            entry_header header = header_at(*place.filler, flushed);
            made.push_back(keep(header, seal_filler(header)));
        }
        entry_header header = header_at(place.position, flushed);
        header.count = 1;
        std::shared_ptr<std::byte[]> owner{new std::byte[entry_header_size + body_size]};
        const std::span<std::byte> bytes{owner.get(), entry_header_size + body_size};
        std::mt19937_64 random{seed};
        for (auto& byte : bytes.subspan(entry_header_size))
            byte = static_cast<std::byte>(random());
        seal_entry(header, bytes);
        made.push_back(keep(header, {std::shared_ptr<const void>{owner, owner.get()}, bytes}));
        geometry_ = place.geometry;
        next_ = header.next();
        return made;
    }

    struct sealed {
        entry_header header;
        shared_bytes bytes;
    };
    [[nodiscard]] const std::vector<sealed>& entries() const { return entries_; }
    [[nodiscard]] log_position next() const { return next_; }

  private:
    [[nodiscard]] entry_header header_at(log_position position, log_position flushed) const {
        entry_header header;
        header.position = position;
        header.previous_checksum = previous_checksum_;
        header.term = term_;
        header.flushed = flushed;
        header.committed = flushed;
        header.timestamp = timestamp_ms{1700000000000 + static_cast<std::int64_t>(entries_.size())};
        return header;
    }
    shared_bytes keep(const entry_header& header, shared_bytes bytes) {
        previous_checksum_ = header.checksum;
        entries_.push_back({header, bytes});
        return bytes;
    }

    std::vector<sealed> entries_;
    segment_geometry geometry_;
    log_position next_;
    term_number term_{1};
    std::uint32_t previous_checksum_ = 0;
};

} // namespace holdfast::storage::testing

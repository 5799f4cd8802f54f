#include "storage/recovery.hpp"

#include "storage/log_beginning.hpp"
#include "storage/log_scanner.hpp"
#include "storage/truncation.hpp"

#include <algorithm>
#include <new>

namespace holdfast::storage {

namespace {

constexpr std::uint64_t chunk_bytes = 1U << 20U;

// What the scan found: the last entry of the log, and what stands where the next one should.
struct scan_outcome {
    log_position end;
    std::optional<entry_header> last;
    log_position committed;
    std::vector<std::pair<log_position, term_number>> terms;
    std::uint64_t scanned_bytes = 0;
    std::string reason; // why the log ends at `end`; empty when nothing but the files' end stopped it
};

struct remains {
    std::optional<entry_header>
        flushed_witness;       // a valid entry behind, sealed when `end` was on the disk already
    log_position last_nonzero; // one past it; `end` when all is zero
};

// Most of what recovery searches is zeros; this runs at the speed of memory.
bool is_zero(byte_view bytes) {
    std::uint64_t any = 0;
    for (std::size_t at = 0; at < bytes.size(); at += sizeof any)
        any |= load_little<std::uint64_t>(bytes.data() + at);
    return any == 0;
}

class recovery_run {
  public:
    recovery_run(segment_set& segments, const recovery_options& options, log_position begun_at)
        : segments_(segments), options_(options), begun_at_(begun_at) {}

    result<recovered_log> run();

  private:
    result<scan_outcome> scan();
    result<scan_outcome> scan_from(log_position start);
    [[nodiscard]] log_position scan_start() const;
    // Once applied is once flushed, and the entry at scan_from was applied.
    [[nodiscard]] log_position durable_until() const {
        return std::max(options_.durable_until, options_.scan_from);
    }
    result<remains> search_remains(const scan_outcome& found);
    result<void> search_extent(const segment& where, log_position first, log_position last,
                               const scan_outcome& found, remains& so_far);
    result<void> search_piece(const segment& where, log_position first, byte_view piece,
                              const scan_outcome& found, remains& so_far);
    [[nodiscard]] result<std::optional<entry_header>> witness_at(const segment& where, log_position position,
                                                                 byte_view header_bytes,
                                                                 const scan_outcome& found);
    [[nodiscard]] error rotten(const scan_outcome& found, const std::string& evidence) const;
    result<void> make_durable(const scan_outcome& found, log_position last_nonzero);
    result<void> rewrite(segment& where, log_position first, log_position last, log_position zero_from);
    result<void> prepare(log_position end);

    segment_set& segments_;
    const recovery_options& options_;
    const log_position begun_at_; // 0, or see log_beginning.hpp
};

log_position recovery_run::scan_start() const {
    const auto first = segments_.first();
    const auto wanted = options_.scan_from;
    if (wanted <= first || wanted.value() % entry_alignment != 0)
        return first;
    if (segments_.find(wanted))
        return wanted;
    const auto all = segments_.list();
    return all.empty() ? first : all.back()->first();
}

result<scan_outcome> recovery_run::scan_from(log_position start) {
    log_scanner scanner{segments_, start, log_position{UINT64_MAX}};
    scan_outcome found;
    for (;;) {
        auto next = scanner.next();
        found.end = scanner.position();
        found.scanned_bytes = found.end - start;
        if (!next && next.failure().code != errc::corrupted)
            return next.failure();
        if (!next)
            found.reason = next.failure().message;
        if (!next || !next->has_value())
            return found;
        const auto& header = (*next)->header;
        found.committed = std::max(found.committed, header.committed);
        if (!found.last || header.term != found.last->term)
            found.terms.emplace_back(header.position, header.term);
        found.last = header;
    }
}

// From the hint, and when nothing valid stands there, from the start of the segment around it, then of the
// segments before.
result<scan_outcome> recovery_run::scan() {
    auto start = scan_start();
    for (;;) {
        auto found = scan_from(start);
        if (!found || found->last || start <= segments_.first())
            return found;
        const auto around = segments_.find(start);
        if (around && around->first() < start)
            start = around->first();
        else
            start = segments_.find(start - 1)->first();
    }
}

result<std::optional<entry_header>> recovery_run::witness_at(const segment& where, log_position position,
                                                             byte_view header_bytes,
                                                             const scan_outcome& found) {
    const std::optional<entry_header> none;
    const auto header = decode_entry_header(header_bytes);
    if (!header || header->position != position || header->flushed <= found.end ||
        header->end() > where.last())
        return none;
    if (found.last && header->term < found.last->term)
        return none;
    std::vector<std::byte> whole(header->length);
    auto count = where.read(position, whole);
    if (!count)
        return count.failure();
    const auto verified = decode_entry({whole.data(), *count});
    return verified ? std::optional{*verified} : none;
}

result<void> recovery_run::search_extent(const segment& where, log_position first, log_position last,
                                         const scan_outcome& found, remains& so_far) {
    std::vector<std::byte> buffer(std::min(chunk_bytes, last - first));
    for (auto at = first; at < last; at += buffer.size()) {
        auto count =
            where.read(at, std::span{buffer}.first(std::min<std::uint64_t>(buffer.size(), last - at)));
        if (!count)
            return count.failure();
        const byte_view read{buffer.data(), align_down(*count, entry_alignment)};
        for (std::size_t offset = 0; offset < read.size(); offset += block_size) {
            const auto piece = read.subspan(offset, std::min(block_size, read.size() - offset));
            if (is_zero(piece))
                continue;
            auto searched = search_piece(where, at + offset, piece, found, so_far);
            if (!searched || so_far.flushed_witness)
                return searched;
        }
        if (*count < buffer.size())
            break;
    }
    return {};
}

result<void> recovery_run::search_piece(const segment& where, log_position first, byte_view piece,
                                        const scan_outcome& found, remains& so_far) {
    for (std::size_t offset = 0; offset < piece.size(); offset += entry_alignment) {
        const auto bytes = piece.subspan(offset, entry_alignment);
        if (is_zero(bytes))
            continue;
        so_far.last_nonzero = first + offset + entry_alignment;
        if (load_little<std::uint32_t>(bytes.data()) != entry_magic)
            continue;
        auto witness = witness_at(where, first + offset, bytes, found);
        if (!witness)
            return witness.failure();
        if (*witness) {
            so_far.flushed_witness = *witness;
            return {};
        }
    }
    return {};
}

// Everything ever written behind the end of the log, in this and in later segments.
result<remains> recovery_run::search_remains(const scan_outcome& found) {
    struct range {
        std::shared_ptr<segment> where;
        log_position first;
        log_position last;
    };
    // All ranges before the first read: what a read and its read-ahead bring into the page cache counts as
    // written from then on, and the search would chase itself through the whole file.
    std::vector<range> written;
    for (const auto& one : segments_.list()) {
        for (auto at = std::max(one->first(), found.end); at < one->last();) {
            auto extent = one->next_extent(at);
            if (!extent)
                return extent.failure();
            const auto [first, last] = *extent;
            if (first >= last)
                break;
            const log_position aligned{align_down(first.value(), entry_alignment)};
            written.push_back({one, std::max(at, aligned), last});
            at = last;
        }
    }
    remains outcome{std::nullopt, found.end};
    for (const auto& [where, first, last] : written) {
        if (auto done = search_extent(*where, first, last, found, outcome); !done)
            return done.failure();
        if (outcome.flushed_witness)
            break;
    }
    return outcome;
}

error recovery_run::rotten(const scan_outcome& found, const std::string& evidence) const {
    const auto position = std::to_string(found.end.value());
    return {errc::corrupted,
            "the log is damaged: " +
                (found.reason.empty() ? "it ends at log position " + position : found.reason) +
                ". This place was once safely on the disk: " + evidence +
                ". Nothing was changed. Put the file back from a copy or another replica. If everything from "
                "here to the end of the log may be lost for good, copy the data directory away and start "
                "once with "
                "acceptDataLoss=" +
                position};
}

// Writes [first, last) of a segment again, as it is read, with zeros from `zero_from` on. Blocks are whole.
result<void> recovery_run::rewrite(segment& where, log_position first, log_position last,
                                   log_position zero_from) {
    const auto begin = align_down(first.value(), block_size);
    const auto end = align_up(last.value(), block_size);
    struct aligned_delete {
        void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{block_size}); }
    };
    const std::unique_ptr<std::byte[], aligned_delete> buffer{
        static_cast<std::byte*>(::operator new[](chunk_bytes, std::align_val_t{block_size}))};
    for (auto at = begin; at < end; at += chunk_bytes) {
        const std::span<std::byte> bytes{buffer.get(), std::min(chunk_bytes, end - at)};
        auto count = where.read(log_position{at}, bytes);
        if (!count)
            return count.failure();
        const auto kept = std::min<std::uint64_t>(*count, zero_from.value() > at ? zero_from.value() - at
                                                                                 : std::uint64_t{0});
        std::memset(bytes.data() + kept, 0, bytes.size() - kept);
        if (auto written = where.write(log_position{at}, bytes); !written)
            return written;
    }
    return {};
}

// Cuts what is left behind the end, and writes the last, perhaps never flushed, part of the log again: pages
// that a failed flush left in the cache look whole and are not on the disk.
result<void> recovery_run::make_durable(const scan_outcome& found, log_position last_nonzero) {
    for (const auto& one : segments_.list())
        if (one->first() > found.end && one->first() < last_nonzero) {
            if (auto removed = segments_.remove_from(one->first()); !removed)
                return removed.failure();
            break;
        }
    auto known = std::max(segments_.first(), durable_until());
    if (found.last)
        known = std::max(known, found.last->flushed);
    const auto first = std::min(known, found.end);
    for (const auto& one : segments_.list()) {
        const auto from = std::max(one->first(), first);
        const auto until = std::min(one->last(), std::max(found.end, last_nonzero));
        if (from >= until)
            continue;
        if (auto done = rewrite(*one, from, until, found.end); !done)
            return done;
        if (auto synced = one->sync(); !synced)
            return synced;
    }
    return {};
}

// The files behind the end hold zeros now. One of another size than new ones get is made anew when needed.
result<void> recovery_run::prepare(log_position end) {
    for (const auto& one : segments_.list()) {
        if (one->first() > end && one->size() != options_.segments.segment_size) {
            if (auto removed = segments_.remove_from(one->first()); !removed)
                return removed.failure();
            break;
        }
        const auto written = std::clamp(end, one->first(), one->last());
        auto zeroed = written;
        if (written < one->last()) {
            auto extent = one->next_extent(written);
            if (!extent)
                return extent.failure();
            if (extent->first <= written)
                zeroed = extent->second;
        }
        one->set_prepared(written, zeroed);
    }
    return {};
}

result<recovered_log> recovery_run::run() {
    auto found = scan();
    if (!found)
        return found.failure();
    auto behind = search_remains(*found);
    if (!behind)
        return behind.failure();

    std::string evidence;
    if (behind->flushed_witness)
        evidence = "the entry at log position " + std::to_string(behind->flushed_witness->position.value()) +
                   " was written when everything below " +
                   std::to_string(behind->flushed_witness->flushed.value()) + " was flushed";
    else if (found->end < durable_until())
        evidence =
            "everything below log position " + std::to_string(durable_until().value()) + " was applied";
    else if (!found->last && found->end != begun_at_)
        evidence = "the log began here after older segments were removed";
    const bool accepted = !evidence.empty() && options_.accept_loss_at == found->end;
    if (!evidence.empty() && !accepted)
        return rotten(*found, evidence);
    if (accepted) // the search ended at the witness; all that is behind it goes as well
        behind->last_nonzero = std::max(found->end, segments_.allocated_until());

    recovered_log outcome;
    if (behind->last_nonzero > found->end || accepted)
        outcome.cut = log_cut{found->end, behind->last_nonzero - found->end, accepted, found->reason};
    if (auto done = make_durable(*found, behind->last_nonzero); !done)
        return done.failure();
    if (auto done = prepare(found->end); !done)
        return done.failure();

    segments_.set_written(found->end);
    segments_.set_flushed(found->end);
    outcome.first = segments_.first();
    outcome.end = found->end;
    outcome.scanned_bytes = found->scanned_bytes;
    if (found->last) {
        outcome.last_entry = found->last->position;
        outcome.last_term = found->last->term;
        outcome.last_checksum = found->last->checksum;
        outcome.last_timestamp = found->last->timestamp;
    }
    outcome.committed = found->committed;
    outcome.terms = std::move(found->terms);
    outcome.geometry = segments_.geometry_at(found->end);
    return outcome;
}

} // namespace

result<recovered_log> recover(file_system& files, const path& directory, const recovery_options& options) {
    auto segments = segment_set::open(files, directory, options.segments);
    if (!segments)
        return segments.failure();
    const auto begun = finish_beginning(**segments);
    if (!begun)
        return begun.failure();
    const auto applied = std::max(options.durable_until, options.scan_from);
    if (auto finished = finish_truncation(**segments, applied); !finished)
        return finished.failure();
    recovery_run run{**segments, options, begun->value_or(log_position{})};
    auto outcome = run.run();
    if (outcome)
        outcome->segments = *std::move(segments);
    return outcome;
}

} // namespace holdfast::storage

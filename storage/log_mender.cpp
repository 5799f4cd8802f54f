#include "storage/log_mender.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace holdfast::storage {

namespace {

struct aligned_delete {
    void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{block_size}); }
};
using aligned_bytes = std::unique_ptr<std::byte[], aligned_delete>;

aligned_bytes zeros(std::size_t size) {
    aligned_bytes bytes{static_cast<std::byte*>(::operator new[](size, std::align_val_t{block_size}))};
    std::memset(bytes.get(), 0, size);
    return bytes;
}

result<void> read_all(const segment& where, log_position first, std::span<std::byte> into) {
    const auto count = where.read(first, into);
    if (!count)
        return count.failure();
    if (*count != into.size())
        return error{errc::io_failed, where.name().string() + ": ends before log position " +
                                          std::to_string((first + into.size()).value())};
    return {};
}

std::string at_position(log_position position, const std::string& what) {
    return "at log position " + std::to_string(position.value()) + " " + what;
}

} // namespace

log_mender::log_mender(segment_set& segments, const rotten_place& place, log_position limit,
                       std::uint64_t most_kept)
    : segments_(segments), place_first_(place.first), limit_(limit), most_kept_(most_kept) {
    mark first{place.first, std::nullopt, term_number{0}};
    if (place.before) {
        first.checksum = place.before->checksum;
        first.term = place.before->term;
    } else if (place.first == log_position{0}) {
        first.checksum = 0;
    }
    marks_.push_back(first);
    start_again();
}

void log_mender::start_again() {
    if (!join_)
        marks_.resize(1);
    behind_ = marks_.back();
    at_ = behind_.position;
    partial_.clear();
    kept_.clear();
    kept_bytes_ = 0;
}

// Why what stands at the beginning of `bytes` can't be the entry at at_, as far as it is there.
std::string log_mender::look_at_entry(byte_view bytes, bool& is_whole, entry_header& header) const {
    is_whole = false;
    if (bytes.size() < entry_header_size)
        return {};
    const auto announced = decode_entry_header(bytes);
    if (!announced)
        return announced.failure().message;
    if (announced->position != at_)
        return "an entry of another position, " + std::to_string(announced->position.value());
    const auto around = segments_.find(at_);
    if (!around || announced->end() > around->last())
        return "an entry that has no room in the file there";
    if (behind_.checksum && announced->previous_checksum != *behind_.checksum)
        return "an entry that does not follow the one before it";
    if (announced->term < behind_.term)
        return "an entry of an older term than the one before it";
    if (bytes.size() < announced->length)
        return {};
    const auto verified = decode_entry(bytes);
    if (!verified)
        return verified.failure().message;
    is_whole = true;
    header = *verified;
    return {};
}

std::string log_mender::keep(const entry_header& header, byte_view entry) {
    if (kept_bytes_ + entry.size() > most_kept_ && !kept_.empty()) {
        if (join_)
            return "more than there was before";
        marks_.push_back(behind_);
        kept_.clear();
        kept_bytes_ = 0;
    }
    const auto next = header.is_filler() ? segments_.find(at_)->last() : header.next();
    kept_.push_back({at_, next, shared_bytes::copy_of(entry)});
    kept_bytes_ += entry.size();
    behind_ = {next, header.checksum, header.term};
    at_ = next;
    return {};
}

// Whether what was kept ends where it must, or where an entry of our own goes on. What can't be read is rot.
bool log_mender::is_joined(std::string& refuted) const {
    if (join_) {
        const bool is_there = at_ == join_->position && behind_.checksum == join_->checksum;
        if (!is_there && at_ >= join_->position)
            refuted = "something else than before";
        return is_there;
    }
    const auto where = segments_.find(at_);
    if (!where || align_up(at_.value(), block_size) > limit_.value()) {
        refuted = "the end of what may be changed, and no entry of our own that follows";
        return false;
    }
    std::vector<std::byte> bytes(std::min<std::uint64_t>(entry_header_size, where->last() - at_));
    if (auto read = read_all(*where, at_, bytes); !read)
        return false;
    const auto header = decode_entry_header(bytes);
    if (!header || header->position != at_ || header->previous_checksum != behind_.checksum ||
        header->term < behind_.term || header->end() > where->last())
        return false;
    bytes.resize(header->length);
    return read_all(*where, at_, bytes).ok() && decode_entry(bytes).ok();
}

result<log_mender::verdict> log_mender::take(byte_view bytes) {
    partial_.insert(partial_.end(), bytes.begin(), bytes.end());
    std::size_t used = 0;
    verdict outcome;
    for (;;) {
        const byte_view rest{partial_.data() + used, partial_.size() - used};
        bool is_whole = false;
        entry_header header;
        const auto here = at_;
        auto wrong = look_at_entry(rest, is_whole, header);
        if (wrong.empty() && is_whole)
            wrong = keep(header, rest.first(header.length));
        bool is_proved = false;
        if (wrong.empty() && is_whole) {
            used += header.length;
            is_proved = is_joined(wrong);
        }
        if (!wrong.empty()) {
            outcome.refuted = at_position(here, "it has " + wrong);
            return outcome;
        }
        if (is_proved)
            return write_stretch();
        if (!is_whole)
            break;
    }
    partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(used));
    return outcome;
}

result<log_mender::verdict> log_mender::write_stretch() {
    verdict outcome;
    bool is_changed = false;
    const auto written = write_all(is_changed);
    if (!written && is_changed)
        return written.failure();
    if (!written) {
        outcome.refuted = "this node can't put it in: " + written.failure().message;
        return outcome;
    }
    outcome.written = range{marks_.back().position, at_};
    join_ = marks_.back();
    marks_.pop_back();
    outcome.is_mended = marks_.empty();
    if (marks_.empty())
        marks_.push_back(*join_);
    start_again();
    return outcome;
}

result<void> log_mender::write_all(bool& is_changed) {
    for (std::size_t first = 0; first < kept_.size();) {
        const auto where = segments_.find(kept_[first].position);
        if (!where)
            return error{errc::not_found, "log position " + std::to_string(kept_[first].position.value()) +
                                              " was removed by retention"};
        auto last = first;
        while (last < kept_.size() && where->contains(kept_[last].position))
            ++last;
        if (auto written = write_part(*where, first, last, is_changed); !written)
            return written;
        first = last;
    }
    return {};
}

// Entries of one segment, in whole blocks; what else is in these blocks is written again as it is.
result<void> log_mender::write_part(const segment& where, std::size_t first_kept, std::size_t last_kept,
                                    bool& is_changed) {
    const auto first = kept_[first_kept].position;
    const auto& last_entry = kept_[last_kept - 1];
    const auto last =
        log_position{align_up(last_entry.position.value() + last_entry.bytes.size(), entry_alignment)};
    const log_position begin{align_down(first.value(), block_size)};
    const log_position end{align_up(last.value(), block_size)};
    const auto buffer = zeros(end - begin);
    const std::span<std::byte> blocks{buffer.get(), end - begin};
    if (auto read = read_all(where, begin, blocks.first(first - begin)); !read)
        return read;
    if (auto read = read_all(where, last, blocks.last(end - last)); !read)
        return read;
    for (auto index = first_kept; index < last_kept; ++index) {
        const auto& [position, next, bytes] = kept_[index];
        const auto target = blocks.subspan(position - begin, bytes.size());
        std::memcpy(target.data(), bytes.data(), bytes.size());
        patch_flushed(target, place_first_);
    }
    auto file = segments_.files().open(where.name(), open_mode::read_write, segments_.options().writes);
    if (!file)
        return file.failure();
    is_changed = true;
    if (auto written = (*file)->write(begin - where.first(), blocks); !written)
        return written;
    if (auto synced = (*file)->sync_data(); !synced)
        return synced;
    std::vector<std::byte> again(blocks.size());
    if (auto read = read_all(where, begin, again); !read)
        return read;
    if (!std::equal(again.begin(), again.end(), blocks.begin()))
        return error{errc::io_failed, where.name().string() + ": " +
                                          at_position(begin, "it does not hold what was just written "
                                                             "there: the disk is broken, replace it")};
    return {};
}

} // namespace holdfast::storage

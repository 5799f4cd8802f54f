#include "broker/replica.hpp"

#include "broker/command.hpp"
#include "protocol/stored_message.hpp"
#include "storage/entry.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace holdfast::broker {
namespace {

// A flush of this size is filled up to a whole block, so that the next one need not wait for it. Smaller ones
// are not worth the room.
constexpr std::uint64_t filled_up_from = 8U << 10U;

} // namespace

replica::replica(replica_settings settings, recovered_tail tail, state recovered)
    : settings_(std::move(settings)),
      raft_(settings_.self, settings_.members, tail.last_term),
      state_(std::move(recovered)),
      next_(tail.next),
      flushed_(tail.next),
      durable_(tail.next),
      applied_(tail.next),
      applied_time_(tail.last_timestamp),
      geometry_(tail.geometry),
      last_checksum_(tail.last_checksum),
      last_timestamp_(tail.last_timestamp) {}

effects replica::step(event what) {
    effects out;
    std::visit([&](auto& happened) { on(happened, out); }, what);
    return out;
}

void replica::on(const started&, effects& out) {
    if (raft_.campaign())
        out.persist_term = raft_.term();
}

// Thesis 3.6.2: a new leader appends an entry of its own term at once, so that everything before it commits.
void replica::on(const term_persisted&, effects& out) {
    HOLDFAST_CHECK(!leading_);
    leading_ = true;
    entry_draft draft{settings_.self.size() + command_footprint(0)};
    draft.add(command_kind::leadership, settings_.self);
    append(std::move(draft), std::nullopt, last_timestamp_);
    raft_.lead_from(next_);
    start_flush(out);
}

void replica::on(batches_received& happened, effects& out) {
    for (auto& batch : happened.batches) {
        if (auto reason = refusal(batch))
            out.rejected.push_back({batch.ticket, std::move(*reason)});
        else
            append(std::move(batch.draft), batch.ticket, happened.now);
    }
    start_flush(out);
}

std::optional<error> replica::refusal(const append_batch& batch) const {
    if (fenced_)
        return error{errc::unavailable,
                     "this broker's log is fenced after a failed write; it takes no messages"};
    if (!leading_)
        return error{errc::unavailable, "this broker does not lead its group"};
    if (stopping_)
        return error{errc::unavailable, "this broker is shutting down"};
    if (batch.draft.size() > settings_.max_entry_size)
        return error{errc::too_large, "a batch of " + std::to_string(batch.draft.size()) +
                                          " bytes is larger than a log entry may be (" +
                                          std::to_string(settings_.max_entry_size) + ")"};
    return std::nullopt;
}

void replica::append(entry_draft draft, std::optional<batch_ticket> ticket, timestamp_ms now) {
    const auto place = storage::place_entry(geometry_, next_, draft.size());
    if (place.filler)
        append_filler(*place.filler, now);
    geometry_ = place.geometry;
    seal(draft, place.position, now);
    const auto end = log_position{align_up(place.position.value() + draft.size(), storage::entry_alignment)};
    pending_entry entry;
    entry.bytes = draft.release();
    entry.position = place.position;
    entry.end = end;
    entry.ticket = ticket.value_or(batch_ticket{0});
    entry.has_ticket = ticket.has_value();
    push(std::move(entry));
    idle_mark_ = false;
}

void replica::append_filler(log_position at, timestamp_ms now) {
    last_timestamp_ = std::max(last_timestamp_, now);
    storage::entry_header header;
    header.previous_checksum = last_checksum_;
    header.position = at;
    header.term = raft_.term();
    header.flushed = durable_;
    header.timestamp = last_timestamp_;
    pending_entry entry;
    entry.bytes = storage::seal_filler(header);
    entry.position = at;
    entry.end = geometry_.last();
    entry.filler = true;
    last_checksum_ = header.checksum;
    push(std::move(entry));
}

// The record's own place and its store time are known only now. Store times never fall along the log, so that
// a search by time can halve.
void replica::seal(entry_draft& draft, log_position position, timestamp_ms now) {
    last_timestamp_ = std::max(last_timestamp_, now);
    auto bytes = draft.bytes();
    command_cursor cursor{bytes, storage::entry_header_size};
    while (!cursor.done()) {
        const auto command = cursor.next();
        HOLDFAST_CHECK(command.ok());
        if (!has_record(command->header.kind))
            continue;
        const auto record = bytes.subspan(command->payload_offset, command->header.size);
        protocol::patch_physical_offset(record.data(), position + command->payload_offset);
        protocol::patch_store_timestamp(record.data(), last_timestamp_);
        if (command->header.kind == command_kind::delayed)
            settle_due(record.data(), record.size(), last_timestamp_);
    }
    storage::entry_header header;
    header.previous_checksum = last_checksum_;
    header.position = position;
    header.term = raft_.term();
    header.flushed = durable_;
    header.timestamp = last_timestamp_;
    header.count = draft.count();
    storage::seal_entry(header, bytes);
    last_checksum_ = header.checksum;
}

void replica::push(pending_entry entry) {
    entry.timestamp = last_timestamp_;
    next_ = entry.end;
    unapplied_.push_back(std::move(entry));
}

// A second flush may begin before the first has ended when they share no block of the disk, because a block
// is written as a whole, and no step into a new segment lies between them.
std::optional<unsigned> replica::free_lane() const {
    std::vector<bool> busy(settings_.flushes_at_once, false);
    for (const auto& one : flushing_)
        if (!one.durable)
            busy[one.lane] = true;
    const auto found = std::find(busy.begin(), busy.end(), false);
    if (found == busy.end())
        return std::nullopt;
    if (!flushing_.empty() && (flushing_.back().until.value() % storage::block_size != 0 ||
                               flushing_.front().first < geometry_.first))
        return std::nullopt;
    return static_cast<unsigned>(found - busy.begin());
}

// An entry without meaning takes what is left of the block.
void replica::fill_block() {
    const auto room = align_up(next_.value(), storage::block_size) - next_.value();
    if (room == 0)
        return;
    entry_draft draft;
    if (room > storage::entry_header_size) {
        const std::vector<std::byte> zeros(room - storage::entry_header_size - command_header_size);
        draft.add(command_kind::idle_mark, zeros);
    } else {
        draft = entry_draft{0};
    }
    append(std::move(draft), std::nullopt, last_timestamp_);
}

void replica::start_flush(effects& out) {
    if (fenced_ || unflushed_from_ == unapplied_.size())
        return;
    const auto lane = free_lane();
    if (!lane)
        return;
    if (settings_.flushes_at_once > 1 && next_ - unapplied_[unflushed_from_].position >= filled_up_from)
        fill_block();
    flush_request request;
    request.lane = *lane;
    request.first = unapplied_[unflushed_from_].position;
    request.until = next_;
    request.entries.reserve(unapplied_.size() - unflushed_from_);
    for (; unflushed_from_ < unapplied_.size(); ++unflushed_from_)
        request.entries.push_back(unapplied_[unflushed_from_].bytes);
    flushing_.push_back({request.first, request.until, request.lane, std::nullopt});
    out.flush = std::move(request);
}

void replica::on(const entries_flushed& happened, effects& out) {
    if (fenced_)
        return;
    HOLDFAST_CHECK(happened.durable <= happened.until && happened.until <= next_);
    if (finish_flushes(happened) && raft_.flushed(settings_.self, flushed_))
        apply_committed(out);
    start_flush(out);
}

// True when `flushed_` moved: only over what has no hole before it.
bool replica::finish_flushes(const entries_flushed& happened) {
    const auto which = std::find_if(flushing_.begin(), flushing_.end(),
                                    [&](const auto& one) { return one.until == happened.until; });
    if (which == flushing_.end()) { // a late flush of ASYNC_FLUSH
        HOLDFAST_CHECK(happened.until <= flushed_);
        durable_ = std::max(durable_, happened.durable);
        return false;
    }
    which->durable = happened.durable;
    const auto before = flushed_;
    for (; !flushing_.empty() && flushing_.front().durable; flushing_.pop_front()) {
        flushed_ = flushing_.front().until;
        durable_ = std::max(durable_, *flushing_.front().durable);
    }
    return flushed_ > before;
}

void replica::apply_committed(effects& out) {
    while (!unapplied_.empty() && unapplied_.front().end <= raft_.commit()) {
        const auto entry = std::move(unapplied_.front());
        unapplied_.pop_front();
        --unflushed_from_;
        if (!entry.filler) {
            applied_batch batch{entry.ticket, entry.position, {}};
            if (auto outcome = state_.apply(entry.bytes.view(), entry.position, out.changes, batch.offsets);
                !outcome.ok()) {
                fence(outcome.failure(), out);
                break; // what came before it is applied, and will be shown
            }
            if (entry.has_ticket)
                out.applied.push_back(std::move(batch));
        }
        applied_ = entry.end;
        last_applied_entry_ = entry.position;
        applied_time_ = entry.timestamp;
    }
    state_.collect_runs(out.changes);
}

// A failed flush tells nothing about what is on the disk, and a second try may report success for bytes that
// the kernel has already dropped. So there is no second try: this replica never appends again.
void replica::on(const flush_failed& happened, effects& out) {
    fence(happened.reason, out);
}

void replica::fence(error reason, effects& out) {
    if (fenced_)
        return;
    fenced_ = true;
    out.fenced = std::move(reason);
}

// When the log falls silent, one small entry more says that the entries before it were flushed. With it, rot
// in the last answered messages can be told from a torn write, which only ever hits what was not answered.
void replica::on(const idled& happened, effects& out) {
    if (!leading() || stopping_ || !flushing_.empty() || idle_mark_ || !unapplied_.empty() ||
        durable_ < next_)
        return;
    entry_draft draft{command_footprint(0)};
    draft.add(command_kind::idle_mark, byte_view{});
    append(std::move(draft), std::nullopt, happened.now);
    idle_mark_ = true;
    start_flush(out);
}

void replica::on(const stopping&, effects&) {
    stopping_ = true;
}

} // namespace holdfast::broker

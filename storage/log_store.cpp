#include "storage/log_store.hpp"

namespace holdfast::storage {

log_store::log_store(recovered_log recovered, const log_options& options)
    : options_(options), recovered_(std::move(recovered)), cache_(options.cache_bytes) {}

result<std::unique_ptr<log_store>> log_store::open(file_system& files, const path& store,
                                                   const log_options& options) {
    auto recovered = recover(files, store / "commitlog", options.recovery);
    if (!recovered)
        return recovered.failure();
    std::unique_ptr<log_store> self{new log_store{*std::move(recovered), options}};
    auto writer = log_writer::open(self->segments(), self->recovered_.end);
    if (!writer)
        return writer.failure();
    self->writer_ = *std::move(writer);
    self->reader_ = std::make_unique<log_reader>(self->segments(), self->cache_, options.reading);
    return self;
}

void log_store::start_prewriting() {
    if (!prewriter_)
        prewriter_ = std::make_unique<prewriter>(segments(), options_.prewriting);
}

std::optional<error> log_store::prewriting_failure() const {
    return prewriter_ ? prewriter_->failure() : std::nullopt;
}

result<void> log_store::truncate(log_position at) {
    auto done = writer_->truncate(at);
    cache_.erase_from(at);
    return done;
}

result<log_position> log_store::remove_before(log_position position) {
    auto removed = segments().remove_before(position);
    if (!removed)
        return removed.failure();
    cache_.erase_before(segments().first());
    return segments().first();
}

} // namespace holdfast::storage

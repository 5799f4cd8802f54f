#include "storage/prewriter.hpp"

#include <algorithm>

namespace holdfast::storage {

namespace {

// How many chunks the writer may advance before the thread wakes: few wake-ups, still far ahead.
constexpr std::uint64_t chunks_per_wake = 4;

} // namespace

prewriter::prewriter(segment_set& segments, prewriter_options options)
    : segments_(segments), options_(options), thread_([this] { run(); }) {}

prewriter::~prewriter() {
    stopping_ = true;
    segments_.wake();
    thread_.join();
}

std::optional<error> prewriter::failure() const {
    const std::lock_guard guard{mutex_};
    return failure_;
}

void prewriter::run() {
    while (!stopping_) {
        const auto seen = segments_.written();
        auto advanced = advance();
        {
            const std::lock_guard guard{mutex_};
            failure_ = advanced ? std::nullopt : std::optional{advanced.failure()};
        }
        if (!advanced || !*advanced)
            segments_.wait_until_written(seen + chunks_per_wake * options_.chunk_bytes, stopping_);
    }
}

// One chunk, or one new segment; false when it is far enough ahead.
result<bool> prewriter::advance() {
    const auto written = segments_.written();
    const auto until = written + options_.ahead_bytes;
    auto current = segments_.find(written);
    if (!current) {
        // The log is empty, or ends exactly at a segment's end.
        auto created = segments_.find_or_create(segments_.allocated_until());
        if (!created)
            return created.failure();
        current = *std::move(created);
    }
    auto zeroed = current->prewrite(options_.chunk_bytes, until);
    if (!zeroed || *zeroed > 0)
        return zeroed ? result<bool>{true} : result<bool>{zeroed.failure()};
    // Never more than one segment ahead, so that small segments do not fill a directory.
    if (until <= current->last())
        return false;
    auto following = segments_.find_or_create(current->last());
    if (!following)
        return following.failure();
    zeroed = (*following)->prewrite(options_.chunk_bytes, until);
    if (!zeroed)
        return zeroed.failure();
    return *zeroed > 0;
}

} // namespace holdfast::storage

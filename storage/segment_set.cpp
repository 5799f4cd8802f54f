#include "storage/segment_set.hpp"

#include <algorithm>
#include <charconv>

namespace holdfast::storage {

namespace {

constexpr std::size_t name_length = 20;

struct segment_file {
    log_position first;
    std::uint64_t size;
};

// Oldest first.
result<std::vector<segment_file>> list_segment_files(file_system& files, const path& directory) {
    auto listed = files.list(directory);
    if (!listed)
        return listed.failure();
    std::vector<segment_file> found;
    for (const auto& one : *listed)
        if (const auto first = parse_segment_file_name(one.name); first && !one.is_directory)
            found.push_back({*first, one.size});
    return found;
}

error misnamed(const path& name) {
    return {errc::corrupted, name.string() +
                                 ": not the name of a segment, whose start is a multiple of 4096. "
                                 "Move the file away."};
}

error out_of_line(const path& name, log_position found_end, log_position expected_end) {
    return {errc::corrupted,
            name.string() + ": ends at log position " + std::to_string(found_end.value()) +
                ", but the next segment begins at " + std::to_string(expected_end.value()) +
                ". A segment file is missing or was truncated. Nothing was changed; put the file back from a "
                "copy or another replica."};
}

} // namespace

std::string segment_file_name(log_position first) {
    auto digits = std::to_string(first.value());
    return std::string(name_length - digits.size(), '0') + digits;
}

std::optional<log_position> parse_segment_file_name(std::string_view name) {
    std::uint64_t value = 0;
    const auto* last = name.data() + name.size();
    const auto [end, failure] = std::from_chars(name.data(), last, value);
    if (name.size() != name_length || failure != std::errc{} || end != last)
        return std::nullopt;
    return log_position{value};
}

segment_set::segment_set(file_system& files, path directory, segment_options options)
    : files_(files), directory_(std::move(directory)), options_(options) {}

result<std::unique_ptr<segment_set>> segment_set::open(file_system& files, path directory,
                                                       segment_options options) {
    if (options.segment_size == 0 || options.segment_size % block_size != 0)
        return error{errc::invalid_argument, "the segment size must be a multiple of 4096 bytes, not " +
                                                 std::to_string(options.segment_size)};
    if (auto made = files.create_directories(directory); !made)
        return made.failure();
    const auto listed = list_segment_files(files, directory);
    if (!listed)
        return listed.failure();
    const auto& found = *listed;
    std::unique_ptr<segment_set> self{new segment_set{files, std::move(directory), options}};
    for (std::size_t i = 0; i < found.size(); ++i) {
        auto [first, size] = found[i];
        const auto name = self->directory_ / segment_file_name(first);
        if (first.value() % block_size != 0)
            return misnamed(name);
        if (i + 1 < found.size() && first + size != found[i + 1].first)
            return out_of_line(name, first + size, found[i + 1].first);
        if (i + 1 == found.size() && (size < options.segment_size || size % block_size != 0)) {
            size = std::max(options.segment_size, align_up(size, block_size));
            auto grown = files.open(name, open_mode::read_write);
            if (!grown)
                return grown.failure();
            if (auto done = (*grown)->allocate(size); !done)
                return done.failure();
            if (auto done = (*grown)->sync_data(); !done)
                return done.failure();
        }
        auto opened = self->open_segment(first, size);
        if (!opened)
            return opened.failure();
        self->segments_.emplace(first, *std::move(opened));
    }
    // A creation that a crash interrupted may have left a name that is not durable yet.
    if (auto synced = files.sync_directory(self->directory_); !synced)
        return synced.failure();
    return self;
}

result<std::unique_ptr<segment_set>> segment_set::open_read_only(file_system& files, path directory) {
    const auto found = list_segment_files(files, directory);
    if (!found)
        return found.failure();
    std::unique_ptr<segment_set> self{new segment_set{files, std::move(directory), {}}};
    for (const auto& [first, size] : *found) {
        const auto name = self->directory_ / segment_file_name(first);
        if (first.value() % block_size != 0)
            return misnamed(name);
        if (size == 0) // its creation is under way, or was interrupted
            break;
        if (!self->segments_.empty() && self->allocated_until() != first)
            return out_of_line(self->segments_.rbegin()->second->name(), self->allocated_until(), first);
        auto opened = self->open_segment(first, size);
        if (!opened && opened.failure().code == errc::not_found && self->segments_.empty())
            continue; // retention was quicker
        if (!opened)
            return opened.failure();
        self->segments_.emplace(first, *std::move(opened));
    }
    return self;
}

result<std::shared_ptr<segment>> segment_set::open_segment(log_position first, std::uint64_t size) {
    auto reading = files_.open(directory_ / segment_file_name(first), open_mode::read);
    if (!reading)
        return reading.failure();
    return std::make_shared<segment>(files_, first, size, *std::move(reading), options_.writes);
}

std::vector<std::shared_ptr<segment>> segment_set::list() const {
    const std::lock_guard guard{mutex_};
    std::vector<std::shared_ptr<segment>> all;
    all.reserve(segments_.size());
    for (const auto& [first, one] : segments_)
        all.push_back(one);
    return all;
}

std::shared_ptr<segment> segment_set::find(log_position position) const {
    const std::lock_guard guard{mutex_};
    auto after = segments_.upper_bound(position);
    if (after == segments_.begin())
        return nullptr;
    const auto& candidate = std::prev(after)->second;
    return candidate->contains(position) ? candidate : nullptr;
}

log_position segment_set::first() const {
    const std::lock_guard guard{mutex_};
    return segments_.empty() ? log_position{} : segments_.begin()->first;
}

log_position segment_set::allocated_until() const {
    const std::lock_guard guard{mutex_};
    return segments_.empty() ? log_position{} : segments_.rbegin()->second->last();
}

result<void> segment_set::create_file(const path& name) {
    auto made = files_.open(name, open_mode::create);
    if (!made)
        return made.failure();
    if (auto done = (*made)->allocate(options_.segment_size); !done)
        return done;
    // The size and the reservation must be durable before an entry in the file may count; so must the name.
    if (auto done = (*made)->sync_data(); !done)
        return done;
    return files_.sync_directory(directory_);
}

result<std::shared_ptr<segment>> segment_set::find_or_create(log_position first) {
    const std::lock_guard creating{creating_};
    if (auto present = find(first)) {
        HOLDFAST_CHECK(present->first() == first);
        return present;
    }
    HOLDFAST_CHECK(first == allocated_until() || list().empty());
    const auto name = directory_ / segment_file_name(first);
    if (auto created = create_file(name); !created) {
        // Out of the way of the next try; the directory is synced then.
        (void)files_.remove(name);
        return created.failure();
    }
    auto opened = open_segment(first, options_.segment_size);
    if (!opened)
        return opened;
    const std::lock_guard guard{mutex_};
    segments_.emplace(first, *opened);
    return opened;
}

result<void> segment_set::remove_file(const segment& which) {
    if (auto removed = files_.remove(which.name()); !removed)
        return removed;
    const std::lock_guard guard{mutex_};
    segments_.erase(which.first());
    return {};
}

result<std::size_t> segment_set::remove_before(log_position position) {
    const std::lock_guard creating{creating_};
    std::size_t removed = 0;
    for (const auto& one : list()) {
        // The one being written stays even when it is just full: its end is where the log goes on.
        if (one->last() > position || one->last() >= written() || one->last() == allocated_until())
            break;
        if (auto done = remove_file(*one); !done)
            return done.failure();
        // One at a time, so that a crash can't leave a gap.
        if (auto synced = files_.sync_directory(directory_); !synced)
            return synced.failure();
        ++removed;
    }
    if (removed > 0)
        wake();
    return removed;
}

result<std::size_t> segment_set::remove_from(log_position position) {
    const std::lock_guard creating{creating_};
    std::size_t removed = 0;
    auto all = list();
    for (auto one = all.rbegin(); one != all.rend() && (*one)->first() >= position; ++one) {
        if (auto done = remove_file(**one); !done)
            return done.failure();
        if (auto synced = files_.sync_directory(directory_); !synced)
            return synced.failure();
        ++removed;
    }
    return removed;
}

void segment_set::set_written(log_position position) {
    written_.store(position.value(), std::memory_order_release);
    const std::lock_guard guard{mutex_};
    if (position.value() >= wake_at_)
        progress_.notify_one();
}

// Nobody waits for the log to become shorter.
void segment_set::cut_written(log_position position) {
    flushed_.store(std::min(position.value(), flushed().value()), std::memory_order_release);
    written_.store(position.value(), std::memory_order_release);
    cuts_.fetch_add(1, std::memory_order_acq_rel);
}

segment_geometry segment_set::geometry_at(log_position end) const {
    auto current = find(end);
    if (!current && end > first())
        current = find(end - 1);
    if (!current)
        return {end, options_.segment_size, options_.segment_size};
    const auto following = find(current->last());
    return {current->first(), current->size(), following ? following->size() : options_.segment_size};
}

void segment_set::set_flushed(log_position position) {
    flushed_.store(position.value(), std::memory_order_release);
}

void segment_set::wait_until_written(log_position position, const std::atomic<bool>& stopping) {
    std::unique_lock guard{mutex_};
    wake_at_ = position.value();
    progress_.wait(guard, [&] { return stopping || woken_ || written() >= position; });
    wake_at_ = UINT64_MAX;
    woken_ = false;
}

void segment_set::wake() {
    const std::lock_guard guard{mutex_};
    woken_ = true;
    progress_.notify_one();
}

} // namespace holdfast::storage

#include "storage/entry_cache.hpp"

#include "storage/entry.hpp"

namespace holdfast::storage {

namespace {

// What the map's and the list's nodes and the allocations themselves cost, about.
constexpr std::size_t overhead_bytes = 160;

} // namespace

entry_cache::entry_cache(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}

void entry_cache::insert(log_position position, shared_bytes entry) {
    const std::lock_guard guard{mutex_};
    put(position, std::move(entry));
}

void entry_cache::insert_read(log_position position, shared_bytes entry, std::uint64_t seen) {
    const std::lock_guard guard{mutex_};
    if (erasures_ == seen)
        put(position, std::move(entry));
}

std::uint64_t entry_cache::erasures() const {
    const std::lock_guard guard{mutex_};
    return erasures_;
}

void entry_cache::put(log_position position, shared_bytes entry) {
    const auto cost = entry.size() + overhead_bytes;
    if (cost > limit_bytes_)
        return;
    // The tail is where nearly all go in.
    const auto place = slots_.lower_bound(position);
    if (place != slots_.end() && place->first == position)
        erase(place);
    size_bytes_ += cost;
    while (size_bytes_ > limit_bytes_)
        erase(slots_.find(by_use_.back()));
    by_use_.push_front(position);
    slots_.emplace(position, slot{std::move(entry), by_use_.begin()});
}

std::optional<shared_bytes> entry_cache::find(log_position position) {
    const std::lock_guard guard{mutex_};
    const auto found = slots_.find(position);
    if (found == slots_.end()) {
        ++counts_.misses;
        return std::nullopt;
    }
    ++counts_.hits;
    touch(found->second);
    return found->second.entry;
}

std::optional<cached_entry> entry_cache::find_containing(log_position byte) {
    const std::lock_guard guard{mutex_};
    auto after = slots_.upper_bound(byte);
    if (after != slots_.begin()) {
        auto& [position, candidate] = *std::prev(after);
        if (byte - position < candidate.entry.size()) {
            ++counts_.hits;
            touch(candidate);
            return cached_entry{position, candidate.entry};
        }
    }
    ++counts_.misses;
    return std::nullopt;
}

void entry_cache::erase_from(log_position position) {
    const std::lock_guard guard{mutex_};
    ++erasures_;
    for (auto one = slots_.lower_bound(position); one != slots_.end();)
        one = erase(one);
}

void entry_cache::erase_before(log_position position) {
    const std::lock_guard guard{mutex_};
    for (auto one = slots_.begin(); one != slots_.end() && one->first < position;)
        one = erase(one);
}

std::size_t entry_cache::size_bytes() const {
    const std::lock_guard guard{mutex_};
    return size_bytes_;
}

entry_cache::statistics entry_cache::counts() const {
    const std::lock_guard guard{mutex_};
    return counts_;
}

entry_cache::slots::iterator entry_cache::erase(slots::iterator which) {
    size_bytes_ -= which->second.entry.size() + overhead_bytes;
    by_use_.erase(which->second.place);
    return slots_.erase(which);
}

void entry_cache::touch(slot& used) {
    by_use_.splice(by_use_.begin(), by_use_, used.place);
}

} // namespace holdfast::storage

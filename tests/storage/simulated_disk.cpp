#include "tests/storage/simulated_disk.hpp"

#include <algorithm>
#include <cstring>

namespace holdfast::storage {

namespace {

using content_bytes = std::vector<std::byte>;

void copy_into(content_bytes& to, std::uint64_t offset, byte_view bytes) {
    if (to.size() < offset + bytes.size())
        to.resize(offset + bytes.size());
    if (!bytes.empty())
        std::memcpy(to.data() + offset, bytes.data(), bytes.size());
}

} // namespace

// What happened to a file since its last sync: a write, or a new size when `bytes` is empty.
struct pending_write {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    content_bytes bytes;
};

struct simulated_disk::node {
    std::string name;
    bool is_directory = false;
    content_bytes seen;    // by reads
    content_bytes durable; // on the platters
    std::vector<pending_write> pending;
    std::uint64_t failed_syncs = 0; // reported once to every open file, as Linux does
};

struct simulated_disk::name_change {
    std::string gone; // removed, when not empty
    std::string made; // now refers to `what`, when not empty
    std::shared_ptr<node> what;
};

class simulated_disk::open_file final : public file {
  public:
    open_file(simulated_disk& disk, path name, std::shared_ptr<node> target, bool direct, bool writable)
        : disk_(disk),
          name_(std::move(name)),
          target_(std::move(target)),
          direct_(direct),
          writable_(writable),
          power_cycle_(disk.power_cycle_),
          seen_failures_(target_->failed_syncs) {}

    result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) const override {
        const std::lock_guard guard{disk_.mutex_};
        if (auto alive = check_power(); !alive)
            return alive.failure();
        const auto size = target_->seen.size();
        const auto count = offset >= size ? 0 : std::min<std::size_t>(into.size(), size - offset);
        const auto bad = disk_.bad_reads_.find(name_.string());
        if (bad != disk_.bad_reads_.end() && bad->second >= offset && bad->second < offset + count) {
            ++disk_.failed_reads_;
            return error{errc::io_failed, name_.string() + ": read failed: simulated bad sector"};
        }
        std::copy_n(target_->seen.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
        return count;
    }
    result<void> write(std::uint64_t offset, byte_view bytes) override {
        const std::lock_guard guard{disk_.mutex_};
        if (auto fine = check_writable(); !fine)
            return fine;
        if (direct_ && (offset % block_size != 0 || bytes.size() % block_size != 0 ||
                        reinterpret_cast<std::uintptr_t>(bytes.data()) % block_size != 0))
            return error{errc::io_failed, name_.string() + ": misaligned direct write"};
        return disk_.write_to(*target_, offset, bytes, direct_);
    }
    result<void> sync_data() override {
        const std::lock_guard guard{disk_.mutex_};
        if (auto alive = check_power(); !alive)
            return alive;
        auto synced = disk_.sync(*target_);
        if (synced && seen_failures_ != target_->failed_syncs)
            synced = error{errc::io_failed, name_.string() + ": an earlier write-back failed"};
        seen_failures_ = target_->failed_syncs;
        return synced;
    }
    result<std::uint64_t> size() const override {
        const std::lock_guard guard{disk_.mutex_};
        if (auto alive = check_power(); !alive)
            return alive.failure();
        return std::uint64_t{target_->seen.size()};
    }
    result<void> allocate(std::uint64_t size) override {
        const std::lock_guard guard{disk_.mutex_};
        if (auto fine = check_writable(); !fine)
            return fine;
        return disk_.set_size(*target_, std::max<std::uint64_t>(size, target_->seen.size()));
    }
    result<void> truncate(std::uint64_t size) override {
        const std::lock_guard guard{disk_.mutex_};
        if (auto fine = check_writable(); !fine)
            return fine;
        return disk_.set_size(*target_, size);
    }
    result<file_extent> next_extent(std::uint64_t offset) const override {
        const std::lock_guard guard{disk_.mutex_};
        const std::uint64_t end = target_->seen.size();
        return file_extent{std::min(offset, end), end};
    }
    [[nodiscard]] const path& name() const override { return name_; }

  private:
    result<void> check_power() const {
        if (!disk_.powered_ || power_cycle_ != disk_.power_cycle_)
            return error{errc::io_failed, name_.string() + ": the simulated disk has no power"};
        return {};
    }
    result<void> check_writable() const {
        if (auto alive = check_power(); !alive)
            return alive;
        if (!writable_)
            return error{errc::permission_denied, name_.string() + ": opened for reading"};
        return {};
    }

    simulated_disk& disk_;
    const path name_;
    const std::shared_ptr<node> target_;
    const bool direct_;
    const bool writable_;
    const std::uint64_t power_cycle_;
    std::uint64_t seen_failures_;
};

class simulated_disk::held_lock final : public directory_lock {
  public:
    held_lock(simulated_disk& disk, std::string directory) : disk_(disk), directory_(std::move(directory)) {}
    ~held_lock() override {
        const std::lock_guard guard{disk_.mutex_};
        disk_.locks_.erase(directory_);
    }

  private:
    simulated_disk& disk_;
    const std::string directory_;
};

simulated_disk::simulated_disk(simulated_disk_options options) : options_(options), random_(options.seed) {}

simulated_disk::~simulated_disk() = default;

bool simulated_disk::coin() {
    return (random_() & 1U) != 0;
}

bool simulated_disk::interrupts_now() {
    if (!operations_left_ || (*operations_left_)-- > 0)
        return false;
    operations_left_.reset();
    powered_ = false;
    return true;
}

bool simulated_disk::sync_fails_now() {
    if (!syncs_left_ || (*syncs_left_)-- > 0)
        return false;
    syncs_left_.reset();
    return true;
}

result<void> simulated_disk::begin_change(const path& name, std::string_view operation) {
    if (!powered_ || interrupts_now())
        return error{errc::io_failed, name.string() + ": " + std::string{operation} + ": power lost"};
    if (read_only_)
        return error{errc::permission_denied, name.string() + ": the file system is read-only"};
    return {};
}

std::uint64_t simulated_disk::used_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, one] : names_)
        sum += one->seen.size();
    return sum;
}

result<void> simulated_disk::write_to(node& target, std::uint64_t offset, byte_view bytes, bool direct) {
    if (read_only_)
        return error{errc::permission_denied, target.name + ": the file system is read-only"};
    const auto growth =
        offset + bytes.size() - std::min<std::uint64_t>(target.seen.size(), offset + bytes.size());
    if (growth > 0 && used_bytes() + growth > options_.capacity_bytes)
        return error{errc::unavailable, target.name + ": no space left on the simulated disk"};
    const bool interrupted = interrupts_now();
    copy_into(target.seen, offset, bytes);
    if (!direct || interrupted) {
        target.pending.push_back({offset, 0, {bytes.begin(), bytes.end()}});
    } else if (sync_fails_now()) {
        return error{errc::io_failed, target.name + ": simulated failure of a direct write"};
    } else {
        copy_into(target.durable, offset, bytes);
    }
    if (interrupted)
        return error{errc::io_failed, target.name + ": power lost while writing"};
    return {};
}

result<void> simulated_disk::sync(node& target) {
    if (interrupts_now())
        return error{errc::io_failed, target.name + ": power lost while syncing"};
    if (sync_fails_now()) {
        target.pending.clear();
        ++target.failed_syncs;
        return error{errc::io_failed, target.name + ": simulated failure of a sync"};
    }
    for (const auto& one : target.pending)
        if (one.bytes.empty())
            target.durable.resize(one.size);
        else
            copy_into(target.durable, one.offset, one.bytes);
    target.pending.clear();
    return {};
}

result<void> simulated_disk::set_size(node& target, std::uint64_t size) {
    if (auto begun = begin_change(target.name, "resize"); !begun)
        return begun;
    if (size > target.seen.size() && used_bytes() + size - target.seen.size() > options_.capacity_bytes)
        return error{errc::unavailable, target.name + ": no space left on the simulated disk"};
    target.seen.resize(size);
    target.pending.push_back({0, size, {}});
    return {};
}

// The power went: each sector of each unsynced write reached the disk or did not.
void simulated_disk::survive(node& one) {
    for (const auto& write : one.pending) {
        if (write.bytes.empty()) {
            if (coin())
                one.durable.resize(write.size);
            continue;
        }
        for (std::size_t at = 0; at < write.bytes.size(); at += options_.sector_bytes) {
            const auto count = std::min(options_.sector_bytes, write.bytes.size() - at);
            // A write behind the end needs the new size, which comes as the journal likes.
            if (coin() && write.offset + at + count <= one.durable.size())
                copy_into(one.durable, write.offset + at, byte_view{write.bytes}.subspan(at, count));
        }
    }
    one.pending.clear();
    one.seen = one.durable;
}

void simulated_disk::crash() {
    const std::lock_guard guard{mutex_};
    const auto surviving = pending_names_.empty() ? 0 : random_() % (pending_names_.size() + 1);
    for (std::size_t i = 0; i < surviving; ++i)
        apply(durable_names_, pending_names_[i]);
    pending_names_.clear();
    names_ = durable_names_;
    for (auto& [name, one] : names_)
        survive(*one);
    ++power_cycle_;
    powered_ = true;
    operations_left_.reset();
    syncs_left_.reset();
    locks_.clear();
}

void simulated_disk::cut_power_after(std::uint64_t operations) {
    const std::lock_guard guard{mutex_};
    operations_left_ = operations;
}

bool simulated_disk::has_power() const {
    const std::lock_guard guard{mutex_};
    return powered_;
}

void simulated_disk::fail_sync_after(std::uint64_t syncs) {
    const std::lock_guard guard{mutex_};
    syncs_left_ = syncs;
}

void simulated_disk::set_capacity(std::uint64_t bytes) {
    const std::lock_guard guard{mutex_};
    options_.capacity_bytes = bytes;
}

void simulated_disk::set_read_only(bool read_only) {
    const std::lock_guard guard{mutex_};
    read_only_ = read_only;
}

void simulated_disk::fail_reads_at(const path& name, std::uint64_t offset) {
    const std::lock_guard guard{mutex_};
    bad_reads_[name.string()] = offset;
}

void simulated_disk::heal_reads() {
    const std::lock_guard guard{mutex_};
    bad_reads_.clear();
}

std::uint64_t simulated_disk::failed_reads() const {
    const std::lock_guard guard{mutex_};
    return failed_reads_;
}

simulated_disk::node& simulated_disk::find(const path& name) const {
    const auto found = names_.find(name.string());
    HOLDFAST_CHECK(found != names_.end());
    return *found->second;
}

void simulated_disk::flip_bit(const path& name, std::uint64_t offset, unsigned bit) {
    const std::lock_guard guard{mutex_};
    auto& one = find(name);
    one.seen.at(offset) ^= std::byte{1} << bit;
    one.durable.at(offset) ^= std::byte{1} << bit;
}

void simulated_disk::overwrite(const path& name, std::uint64_t offset, byte_view bytes) {
    const std::lock_guard guard{mutex_};
    copy_into(find(name).seen, offset, bytes);
    copy_into(find(name).durable, offset, bytes);
}

void simulated_disk::resize(const path& name, std::uint64_t size) {
    const std::lock_guard guard{mutex_};
    find(name).seen.resize(size);
    find(name).durable.resize(size);
}

void simulated_disk::erase(const path& name) {
    const std::lock_guard guard{mutex_};
    names_.erase(name.string());
    durable_names_.erase(name.string());
}

std::vector<std::byte> simulated_disk::content(const path& name) const {
    const std::lock_guard guard{mutex_};
    return find(name).seen;
}

void simulated_disk::apply(names& to, const name_change& change) {
    if (!change.gone.empty())
        to.erase(change.gone);
    if (!change.made.empty())
        to[change.made] = change.what;
}

void simulated_disk::change_name(name_change change) {
    apply(names_, change);
    pending_names_.push_back(std::move(change));
}

result<std::unique_ptr<file>> simulated_disk::open(const path& name, open_mode mode, write_mode writes) {
    const std::lock_guard guard{mutex_};
    const auto text = name.string();
    if (!powered_)
        return error{errc::io_failed, text + ": the simulated disk has no power"};
    auto found = names_.find(text);
    const bool exists = found != names_.end();
    if (exists && found->second->is_directory)
        return error{errc::io_failed, text + ": is a directory"};
    if (!exists && (mode == open_mode::read || mode == open_mode::read_write))
        return error{errc::not_found, text + ": no such file"};
    if (exists && mode == open_mode::create)
        return error{errc::already_exists, text + ": exists"};
    if (read_only_ && mode != open_mode::read)
        return error{errc::permission_denied, text + ": the file system is read-only"};
    std::shared_ptr<node> target;
    if (exists) {
        target = found->second;
        if (mode == open_mode::replace)
            if (auto emptied = set_size(*target, 0); !emptied)
                return emptied.failure();
    } else {
        if (auto begun = begin_change(name, "create"); !begun)
            return begun.failure();
        target = std::make_shared<node>();
        target->name = text;
        change_name({{}, text, target});
    }
    return std::unique_ptr<file>{std::make_unique<open_file>(
        *this, name, std::move(target), writes == write_mode::direct, mode != open_mode::read)};
}

result<void> simulated_disk::rename(const path& from, const path& to) {
    const std::lock_guard guard{mutex_};
    if (auto begun = begin_change(from, "rename"); !begun)
        return begun;
    const auto found = names_.find(from.string());
    if (found == names_.end())
        return error{errc::not_found, from.string() + ": no such file"};
    change_name({from.string(), to.string(), found->second});
    return {};
}

result<void> simulated_disk::remove(const path& name) {
    const std::lock_guard guard{mutex_};
    if (auto begun = begin_change(name, "remove"); !begun)
        return begun;
    if (!names_.contains(name.string()))
        return error{errc::not_found, name.string() + ": no such file"};
    change_name({name.string(), {}, nullptr});
    return {};
}

result<std::vector<file_entry>> simulated_disk::list(const path& directory) {
    const std::lock_guard guard{mutex_};
    if (!powered_)
        return error{errc::io_failed, directory.string() + ": the simulated disk has no power"};
    const auto self = names_.find(directory.string());
    if (self == names_.end() || !self->second->is_directory)
        return error{errc::not_found, directory.string() + ": no such directory"};
    std::vector<file_entry> found;
    for (const auto& [name, one] : names_)
        if (path{name}.parent_path() == directory)
            found.push_back({path{name}.filename().string(), one->seen.size(), one->is_directory});
    return found;
}

result<void> simulated_disk::create_directories(const path& directory) {
    const std::lock_guard guard{mutex_};
    for (path one = directory; !one.empty() && !names_.contains(one.string()); one = one.parent_path()) {
        if (auto begun = begin_change(one, "create directory"); !begun)
            return begun;
        auto made = std::make_shared<node>();
        made->name = one.string();
        made->is_directory = true;
        names_[one.string()] = made;
        durable_names_[one.string()] = made;
    }
    return {};
}

result<void> simulated_disk::sync_directory(const path& directory) {
    const std::lock_guard guard{mutex_};
    if (auto begun = begin_change(directory, "fsync of the directory"); !begun)
        return begun;
    // Names of all directories share one journal.
    for (const auto& change : pending_names_)
        apply(durable_names_, change);
    pending_names_.clear();
    return {};
}

result<disk_space> simulated_disk::space(const path&) {
    const std::lock_guard guard{mutex_};
    const auto used = used_bytes();
    return disk_space{options_.capacity_bytes - std::min(used, options_.capacity_bytes),
                      options_.capacity_bytes};
}

result<std::unique_ptr<directory_lock>> simulated_disk::lock(const path& directory) {
    const std::lock_guard guard{mutex_};
    if (!locks_.emplace(directory.string(), power_cycle_).second)
        return error{errc::unavailable, directory.string() + ": in use by another process"};
    return std::unique_ptr<directory_lock>{std::make_unique<held_lock>(*this, directory.string())};
}

} // namespace holdfast::storage

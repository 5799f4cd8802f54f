#include "storage/hard_state.hpp"

#include "base/checksum.hpp"

#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/uuid_io.hpp>

#include <algorithm>

namespace holdfast::storage {

namespace {

constexpr std::uint32_t magic = 0x53484648; // "HFHS"
constexpr std::uint32_t format_version = 1;
constexpr std::size_t fixed_size = 40;
constexpr std::size_t name_limit = 1024;
constexpr std::size_t file_limit = fixed_size + 3 * (2 + name_limit);
constexpr std::size_t first_checked_byte = 8;

void append_text(std::vector<std::byte>& to, const std::string& text) {
    HOLDFAST_CHECK(text.size() <= name_limit);
    std::byte length[2];
    store_little(length, static_cast<std::uint16_t>(text.size()));
    to.insert(to.end(), length, length + sizeof length);
    const auto bytes = as_bytes(text);
    to.insert(to.end(), bytes.begin(), bytes.end());
}

bool take_text(byte_view& from, std::string& text) {
    if (from.size() < 2)
        return false;
    const auto length = load_little<std::uint16_t>(from.data());
    if (length > name_limit || from.size() < 2U + length)
        return false;
    text = as_text(from.subspan(2, length));
    from = from.subspan(2U + length);
    return true;
}

error damaged(const path& name, const std::string& what) {
    return {errc::corrupted,
            name.string() + ": " + what +
                ". It holds this node's term and vote; without it the node must not take part as "
                "the member it was. Put the file back from a copy, or start this node as a new "
                "member with an empty store."};
}

} // namespace

store_id make_store_id() {
    const auto made = boost::uuids::random_generator{}();
    store_id id{};
    std::ranges::copy(made, id.begin());
    return id;
}

std::string to_string(const store_id& id) {
    boost::uuids::uuid shown{};
    std::ranges::copy(id, shown.begin());
    return boost::uuids::to_string(shown);
}

result<std::optional<hard_state>> load_hard_state(file_system& files, const path& name) {
    auto read = read_file(files, name, file_limit);
    if (!read && read.failure().code == errc::not_found)
        return std::optional<hard_state>{};
    if (!read && read.failure().code == errc::too_large)
        return damaged(name, "too large");
    if (!read)
        return read.failure();
    const byte_view bytes{*read};
    if (bytes.size() < fixed_size || load_little<std::uint32_t>(bytes.data()) != magic)
        return damaged(name, "not a hard_state file");
    if (crc32c(bytes.subspan(first_checked_byte)) != load_little<std::uint32_t>(bytes.data() + 4))
        return damaged(name, "the checksum does not hold");
    if (const auto version = load_little<std::uint32_t>(bytes.data() + 8); version != format_version)
        return error{errc::not_supported, name.string() + ": format version " + std::to_string(version) +
                                              ", this build reads " + std::to_string(format_version)};
    hard_state state;
    std::memcpy(state.id.data(), bytes.data() + 16, state.id.size());
    state.term = term_number{load_little<std::uint64_t>(bytes.data() + 32)};
    auto rest = bytes.subspan(fixed_size);
    if (!take_text(rest, state.cluster) || !take_text(rest, state.node_name) ||
        !take_text(rest, state.vote) || !rest.empty())
        return damaged(name, "malformed");
    return std::optional{std::move(state)};
}

result<void> save_hard_state(file_system& files, const path& name, const hard_state& state) {
    for (const auto* text : {&state.cluster, &state.node_name, &state.vote})
        if (text->size() > name_limit)
            return error{errc::too_large, "a cluster or node name has at most 1024 bytes"};
    std::vector<std::byte> bytes(fixed_size);
    store_little(bytes.data(), magic);
    store_little(bytes.data() + 8, format_version);
    std::memcpy(bytes.data() + 16, state.id.data(), state.id.size());
    store_little(bytes.data() + 32, state.term.value());
    append_text(bytes, state.cluster);
    append_text(bytes, state.node_name);
    append_text(bytes, state.vote);
    store_little(bytes.data() + 4, crc32c(byte_view{bytes}.subspan(first_checked_byte)));
    return replace_file(files, name, bytes);
}

} // namespace holdfast::storage

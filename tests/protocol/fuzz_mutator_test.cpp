// Seeded mutations of good inputs, fed to every decoder. Two seconds as a test; longer with
//     HOLDFAST_FUZZ_SECONDS=600 HOLDFAST_FUZZ_SEED=7 build/tests/protocol/protocol_fuzz_test
// A failure prints the seed and the round; the input lies in hex on stderr before a crash only when
// HOLDFAST_FUZZ_ROUND names its round.
#include "tests/protocol/fuzz_targets.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace holdfast::protocol {
namespace {

std::int64_t setting(const char* name, std::int64_t otherwise) {
    const char* const text = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nothing else runs yet
    return text ? std::atoll(text) : otherwise;
}

char interesting_character(random_source& random) {
    constexpr std::string_view characters = "{}[]\",:\\u0dD8e+-.ntf \x01\x02\x7F\x80\xBF\xC2\xE0\xED\xF0\xFF";
    if (random.one_in(8))
        return '\0';
    return characters[static_cast<std::size_t>(
        random.between(0, static_cast<std::int64_t>(characters.size()) - 1))];
}

// One change somewhere after the choosing byte.
void mutate(std::string& input, const std::vector<std::string>& seeds, random_source& random) {
    const auto place = [&] {
        return static_cast<std::size_t>(random.between(1, static_cast<std::int64_t>(input.size())));
    };
    const std::size_t at = place();
    switch (random.between(0, 6)) {
    case 0:
        input.insert(at, 1, interesting_character(random));
        break;
    case 1:
        input.erase(at, static_cast<std::size_t>(random.between(1, 8)));
        break;
    case 2:
        if (at < input.size())
            input[at] = interesting_character(random);
        break;
    case 3:
        if (at < input.size())
            input[at] = static_cast<char>(input[at] ^ (1 << random.between(0, 7)));
        break;
    case 4: // a length field gets an extreme value
        if (at + 4 <= input.size()) {
            constexpr std::int32_t extremes[] = {0, 1, -1, INT32_MAX, INT32_MIN, 0x7FFF, 0xFFFF, 16};
            store_big(reinterpret_cast<std::byte*>(input.data()) + at,
                      extremes[static_cast<std::size_t>(random.between(0, 7))]);
        }
        break;
    case 5: // a piece is repeated
        input.insert(
            at, input.substr(std::min(at, input.size()), static_cast<std::size_t>(random.between(1, 40))));
        break;
    default: { // two inputs are crossed
        const std::string& other =
            seeds[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(seeds.size()) - 1))];
        input.insert(at, other.substr(std::min(other.size(), place())));
        break;
    }
    }
    constexpr std::size_t longest = 4096;
    if (input.size() > longest)
        input.resize(longest);
}

TEST(Fuzz, SeedsAreGood) {
    for (const std::string& seed : fuzz_seeds())
        EXPECT_TRUE(fuzz_one(as_bytes(seed)) || seed.find("1.5") != std::string::npos)
            << to_hex(as_bytes(seed));
}

TEST(Fuzz, MutatedInputsHarmNobody) {
    const auto seed = static_cast<std::uint64_t>(setting("HOLDFAST_FUZZ_SEED", 1));
    const auto shown_round = setting("HOLDFAST_FUZZ_ROUND", -1);
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds{setting("HOLDFAST_FUZZ_SECONDS", 2)};
    const std::vector<std::string> seeds = fuzz_seeds();
    std::int64_t round = 0;
    std::int64_t taken = 0;
    while (std::chrono::steady_clock::now() < deadline) {
        random_source random{seed * 1'000'003 + static_cast<std::uint64_t>(round)};
        std::string input = seeds[static_cast<std::size_t>(round) % seeds.size()];
        for (auto changes = random.between(1, 4); changes > 0; --changes)
            mutate(input, seeds, random);
        if (round == shown_round)
            std::cerr << "round " << round << ": " << to_hex(as_bytes(input)) << '\n';
        // In memory of exactly its size, so that ASan sees one byte too many.
        const shared_bytes exact = shared_bytes::copy_of(as_bytes(input));
        taken += fuzz_one(exact.view()) ? 1 : 0;
        ++round;
    }
    RecordProperty("rounds", std::to_string(round));
    std::cout << round << " rounds from seed " << seed << ", " << taken << " inputs taken\n";
    // Some must be refused and some taken, or the mutator does nothing worth its time.
    EXPECT_GT(taken, round / 100);
    EXPECT_LT(taken, round);
}

} // namespace
} // namespace holdfast::protocol

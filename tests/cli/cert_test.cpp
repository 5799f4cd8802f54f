// `holdfast cert`, judged by OpenSSL's own verification.
#include "tests/cli/run_holdfast.hpp"

#include <gmock/gmock.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace holdfast {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

struct certificate_closer {
    void operator()(X509* what) const { X509_free(what); }
};
using certificate = std::unique_ptr<X509, certificate_closer>;

certificate read_certificate(const std::string& path) {
    std::FILE* const file = std::fopen(path.c_str(), "r");
    if (file == nullptr)
        return nullptr;
    certificate read{PEM_read_X509(file, nullptr, nullptr, nullptr)};
    std::fclose(file);
    return read;
}

bool is_key_of(const std::string& path, X509* owner) {
    std::FILE* const file = std::fopen(path.c_str(), "r");
    EVP_PKEY* const key = PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
    std::fclose(file);
    const bool fits = X509_check_private_key(owner, key) == 1;
    EVP_PKEY_free(key);
    return fits;
}

// X509_V_OK when `ca` vouches for `node` in that part of TLS.
int verify(X509* ca, X509* node, int purpose) {
    X509_STORE* const store = X509_STORE_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX* const context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, store, node, nullptr);
    X509_STORE_CTX_set_purpose(context, purpose);
    X509_verify_cert(context);
    const int verdict = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return verdict;
}

mode_t mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
}

std::string text_of(const std::string& path) {
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

class cert : public testing::Test {
  protected:
    cert() {
        std::string pattern = testing::TempDir() + "cert_test-XXXXXX";
        root_ = ::mkdtemp(pattern.data());
    }
    ~cert() override { std::filesystem::remove_all(root_); }

    [[nodiscard]] std::string at(const std::string& name) const { return root_ + "/" + name; }
    [[nodiscard]] outcome make_ca(const std::string& folder) const {
        return run({"cert", "ca", "--out", at(folder)});
    }
    [[nodiscard]] outcome make_node(const std::string& name, const std::string& hosts, const std::string& ca,
                                    const std::string& out) const {
        return run({"cert", "node", name, "--host", hosts, "--ca", at(ca), "--out", at(out)});
    }

  private:
    std::string root_;
};

TEST_F(cert, makes_an_authority_and_nodes_that_it_vouches_for) {
    const auto made = make_ca("new/ca");
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_THAT(made.out, AllOf(HasSubstr(at("new/ca/ca.crt")), HasSubstr(at("new/ca/ca.key"))));
    const auto node = make_node("b", "10.0.0.2,b.example.org", "new/ca", "b");
    ASSERT_EQ(node.status, 0) << node.err;
    EXPECT_THAT(node.out, AllOf(HasSubstr("clusterTlsCert = " + at("b/b.crt")),
                                HasSubstr("clusterTlsKey = " + at("b/b.key")),
                                HasSubstr("clusterTlsCa = " + at("b/ca.crt"))));
    EXPECT_EQ(text_of(at("b/ca.crt")), text_of(at("new/ca/ca.crt")));
    const auto ca = read_certificate(at("new/ca/ca.crt"));
    const auto of_b = read_certificate(at("b/b.crt"));
    ASSERT_TRUE(ca && of_b);
    EXPECT_EQ(verify(ca.get(), of_b.get(), X509_PURPOSE_SSL_SERVER), X509_V_OK);
    EXPECT_EQ(verify(ca.get(), of_b.get(), X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    EXPECT_EQ(X509_check_ip_asc(of_b.get(), "10.0.0.2", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(of_b.get(), "10.0.0.3", 0), 0);
    EXPECT_EQ(X509_check_host(of_b.get(), "b.example.org", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(of_b.get(), "c.example.org", 0, 0, nullptr), 0);
    EXPECT_TRUE(is_key_of(at("new/ca/ca.key"), ca.get()));
    EXPECT_TRUE(is_key_of(at("b/b.key"), of_b.get()));
    EXPECT_EQ(mode_of(at("new/ca/ca.key")), 0600U);
    EXPECT_EQ(mode_of(at("b/b.key")), 0600U);
}

TEST_F(cert, of_another_authority_counts_for_nothing) {
    ASSERT_EQ(make_ca("one").status, 0);
    ASSERT_EQ(make_ca("two").status, 0);
    ASSERT_EQ(make_node("a", "127.0.0.1", "one", "one").status, 0);
    ASSERT_EQ(make_node("a", "127.0.0.1", "two", "two").status, 0);
    const auto ca = read_certificate(at("one/ca.crt"));
    const auto strange = read_certificate(at("two/a.crt"));
    const auto own = read_certificate(at("one/a.crt"));
    ASSERT_TRUE(ca && strange && own);
    EXPECT_NE(verify(ca.get(), strange.get(), X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    EXPECT_NE(verify(own.get(), strange.get(), X509_PURPOSE_SSL_CLIENT), X509_V_OK);
    const auto mixed = make_node("c", "127.0.0.1", "two", "one");
    EXPECT_EQ(mixed.status, 1);
    EXPECT_THAT(mixed.err, HasSubstr("another authority's"));
    EXPECT_FALSE(std::filesystem::exists(at("one/c.crt")));
}

TEST_F(cert, overwrites_nothing) {
    ASSERT_EQ(make_ca("ca").status, 0);
    const auto before = text_of(at("ca/ca.key"));
    const auto again = make_ca("ca");
    EXPECT_EQ(again.status, 1);
    EXPECT_THAT(again.err, HasSubstr("ca.key exists already"));
    EXPECT_EQ(text_of(at("ca/ca.key")), before);
    std::ofstream{at("ca/a.crt")} << "mine";
    const auto node = make_node("a", "127.0.0.1", "ca", "ca");
    EXPECT_EQ(node.status, 1);
    EXPECT_THAT(node.err, HasSubstr("a.crt exists already"));
    EXPECT_EQ(text_of(at("ca/a.crt")), "mine");
    EXPECT_FALSE(std::filesystem::exists(at("ca/a.key"))) << "both files or none";
}

TEST_F(cert, says_what_is_wrong_with_the_authority) {
    const auto missing = make_node("a", "127.0.0.1", "nowhere", "out");
    EXPECT_EQ(missing.status, 1);
    EXPECT_THAT(missing.err, AllOf(HasSubstr("ca.crt can't be read"), HasSubstr("`holdfast cert ca --out ")));
    ASSERT_EQ(make_ca("ca").status, 0);
    ASSERT_EQ(make_ca("other").status, 0);
    std::filesystem::copy_file(at("other/ca.key"), at("ca/ca.key"),
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_THAT(make_node("a", "127.0.0.1", "ca", "out").err, HasSubstr("is not the key of"));
    std::ofstream{at("ca/ca.key")} << "junk";
    EXPECT_THAT(make_node("a", "127.0.0.1", "ca", "out").err, HasSubstr("is no PEM private key"));
    EXPECT_FALSE(std::filesystem::exists(at("out")));
}

TEST_F(cert, refuses_words_that_make_no_sense) {
    const auto out = at("out");
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"cert"},
             {"cert", "frobnicate", "--out", out},
             {"cert", "ca"},
             {"cert", "ca", "a", "--out", out},
             {"cert", "ca", "--out", out, "--days", "0"},
             {"cert", "node", "--out", out},
             {"cert", "node", "a", "--out", out},
             {"cert", "node", "ca", "--host", "h", "--ca", out, "--out", out},
             {"cert", "node", "../a", "--host", "h", "--ca", out, "--out", out},
             {"cert", "node", "a", "--host", "", "--ca", out, "--out", out},
             {"cert", "node", "a", "--host", "h,", "--ca", out, "--out", out},
             {"cert", "node", "a", "--host", "h,,i", "--ca", out, "--out", out},
             {"cert", "node", "a", "--host", "h,email:x", "--ca", out, "--out", out},
             {"cert", "node", "a", "--host", "10.0.0.256", "--ca", out, "--out", out}}) {
        const auto result = run(words);
        EXPECT_EQ(result.status, 2) << testing::PrintToString(words) << result.err;
        EXPECT_THAT(result.out, IsEmpty());
    }
    EXPECT_FALSE(std::filesystem::exists(out));
}

} // namespace
} // namespace holdfast
